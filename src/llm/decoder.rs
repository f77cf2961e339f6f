//! The generic decoder: weights of any supported architecture and one forward pass over ragged rows.
//!
//! Must treat every row by itself: a row's logits have the same bits whatever other rows are in the batch.

use super::arch::{Arch, LayerRope};
use super::attention::{At, Attention, Past, attend, gather};
use super::device::Processor;
use super::gguf::{GgufError, GgufFile, TensorData, dequantize_into};
use super::kernels::activations::Activations;
use super::kernels::arena::Arena;
use super::kernels::isa::Isa;
use super::kernels::pool::Pool;
use super::kv::lanes::Form;
use super::kv::{KvMemory, KvShape, Run, Sequence};
use super::linear::{self, Arithmetic, Linear};
use super::rope::{Angles, Frequencies};
use super::simd::LANES;
use super::{LlmError, ops, simd};
use crate::domain::{Cancel, Complaint};
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

/// One token to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The token.
    pub token: u32,
    /// The sequence it continues and looks back at.
    pub sequence: usize,
    /// Other sequences that have the same past and the same token here; they get its keys and values without computing
    /// it again. This is how the branches of an answer trie share their stem.
    pub also: Vec<usize>,
    /// Whether the logits after it are wanted.
    pub logits: bool,
}

impl Row {
    /// A row of one sequence, without logits.
    pub fn new(token: u32, sequence: usize) -> Self {
        Self { token, sequence, also: Vec::new(), logits: false }
    }
}

/// A model's weights.
pub struct Decoder {
    arch: Arch,
    /// Of its own, or (`None`) the rows of the head.
    embedding: Option<TensorData>,
    vocabulary: usize,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Box<dyn Linear>,
    frequencies: Frequencies,
    local_frequencies: Frequencies,
    parameters: u64,
    pool: Pool,
    kv: KvMemory,
    /// What the last pass computed on the way, see [`Decoder::recycle`].
    buffers: Mutex<Buffers>,
    /// Where the linear layers are, if not on the CPU.
    processor: Option<Processor>,
}

/// What a pass computes on the way, and its logits when nobody wants them any more. The memory serves the next pass:
/// what is new to the process has to be cleared by the system first, and for many rows that takes as long as a layer.
#[derive(Default)]
struct Buffers {
    input: Activations,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    change: Vec<f32>,
    gate_up: Vec<f32>,
    logits: Vec<f32>,
}

struct Layer {
    attention_norm: Vec<f32>,
    qkv: Box<dyn Linear>,
    qkv_bias: Vec<f32>,
    q_norm: Vec<f32>,
    k_norm: Vec<f32>,
    out: Box<dyn Linear>,
    post_attention_norm: Vec<f32>,
    mlp_norm: Vec<f32>,
    gate_up: Box<dyn Linear>,
    down: Box<dyn Linear>,
    post_mlp_norm: Vec<f32>,
}

/// Reads tensors by name, checks their shapes, and remembers which were used.
struct Weights<'a> {
    file: &'a GgufFile,
    arena: Arena,
    arithmetic: Arithmetic,
    used: BTreeSet<String>,
}

impl Weights<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<TensorData, GgufError> {
        if let Some(info) = self.file.tensor_info(name)
            && info.shape != shape
        {
            return Err(GgufError::tensor(name, format!("its shape is {:?} instead of {shape:?}", info.shape)));
        }
        self.used.insert(name.to_owned());
        self.file.tensor(name)
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>, GgufError> {
        self.tensor(name, &[len])?.to_f32()
    }

    fn vector_if(&mut self, wanted: bool, name: &str, len: usize) -> Result<Vec<f32>, GgufError> {
        if wanted { self.vector(name, len) } else { Ok(Vec::new()) }
    }

    fn has(&self, name: &str) -> bool {
        self.file.tensor_info(name).is_some()
    }

    /// Factors of single pairs of the rotary embedding; empty for none. LongRoPE has two vectors, and the long one is
    /// for contexts longer than the original one. It is chosen once for the model, not by the length of each text, so
    /// that a position has the same angle in all texts.
    fn rope_factors(&mut self, arch: &Arch) -> Result<Vec<f32>, GgufError> {
        let pairs = arch.rope_dims / 2;
        let (long, short) = ("rope_factors_long.weight", "rope_factors_short.weight");
        let factors = if self.has(long) || self.has(short) {
            let [short, long] = [self.vector(short, pairs)?, self.vector(long, pairs)?];
            if arch.context > arch.original_context { long } else { short }
        } else {
            self.vector_if(self.has("rope_freqs.weight"), "rope_freqs.weight", pairs)?
        };
        Ok(factors)
    }

    /// Matrices that share their input, stacked.
    fn linear(&mut self, parts: &[(String, usize)], inputs: usize) -> Result<Box<dyn Linear>, LlmError> {
        let tensors = parts.iter().map(|(name, n)| self.tensor(name, &[*n, inputs])).collect::<Result<Vec<_>, _>>()?;
        linear::load(&mut self.arena, &self.arithmetic, tensors)
    }
}

impl Decoder {
    /// Loads all weights; `threads` threads will compute (0: one per core); `progress` gets per mille done.
    ///
    /// # Errors
    /// Where a tensor is missing, has another shape than the architecture says, or is one that this decoder would
    /// ignore.
    pub fn load(
        file: &GgufFile,
        arithmetic: Arithmetic,
        threads: usize,
        progress: &mut dyn FnMut(u16),
        cancel: &Cancel,
    ) -> Result<Self, LlmError> {
        let pool = Pool::new(threads).map_err(|e| {
            let problem = format!("cannot start the threads of the model: {e}");
            LlmError::from(Complaint::new(problem).hinted("choose fewer by `--threads`"))
        })?;
        let arch = Arch::read(file.metadata())?;
        let mut weights = Weights { file, arena: Arena::default(), arithmetic, used: BTreeSet::new() };
        let vocabulary = file.tensor_info("token_embd.weight").map_or(0, |info| info.shape[0]);
        let factors = weights.rope_factors(&arch)?;
        let mut layers = Vec::new();
        for index in 0..arch.layers {
            if cancel.is_cancelled() {
                return Err(LlmError::Cancelled);
            }
            progress((index * 900 / arch.layers) as u16);
            layers.push(Layer::load(&mut weights, &arch, index)?);
        }
        let norm = weights.vector("output_norm.weight", arch.width)?;
        let tied = !weights.has("output.weight");
        let head = if tied { "token_embd.weight" } else { "output.weight" };
        let head = weights.linear(&[(head.to_owned(), vocabulary)], arch.width)?;
        // Rows of the embedding are read one by one, so a head on a device does not serve as one.
        let embedding = match tied && !matches!(weights.arithmetic, Arithmetic::On(_)) {
            true => None,
            false => Some(weights.tensor("token_embd.weight", &[vocabulary, arch.width])?),
        };
        if let Some((name, _)) = file.tensors().find(|(name, _)| !weights.used.contains(*name)) {
            let problem = format!("the architecture `{}` as we know it has no such tensor", arch.name);
            return Err(GgufError::tensor(name, problem).into());
        }
        progress(1000);
        let local = arch.sliding.map(|s| Frequencies::new(s.rope, arch.rope_dims, &[]));
        Ok(Self {
            frequencies: Frequencies::new(arch.rope, arch.rope_dims, &factors),
            local_frequencies: local.unwrap_or_default(),
            kv: KvMemory::new(KvShape {
                layers: arch.layers,
                heads: arch.kv_heads,
                dim: arch.head_dim,
                form: if layers.iter().flat_map(Layer::matrices).any(|l| l.quantized()) {
                    Form::Codes
                } else {
                    Form::Floats
                },
            }),
            buffers: Mutex::default(),
            parameters: file.tensors().map(|(_, info)| info.elements() as u64).sum(),
            arch,
            embedding,
            vocabulary,
            layers,
            norm,
            head,
            pool,
            processor: match weights.arithmetic {
                Arithmetic::On(processor) => Some(processor),
                Arithmetic::Integers | Arithmetic::Exact => None,
            },
        })
    }

    /// The description.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// Number of tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Number of weights in the file.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Memory for keys and values.
    pub fn kv(&self) -> &KvMemory {
        &self.kv
    }

    /// Where the weights are multiplied: `cpu`, `cuda:0`, …; the rest is computed on the CPU in any case.
    pub fn device(&self) -> &str {
        self.processor.as_ref().map_or("cpu", Processor::name)
    }

    /// Which kernels multiply the weights. The number rises whenever their results change; those of a device change
    /// with candle's version too, which is pinned.
    pub fn kernel(&self) -> &'static str {
        if self.processor.is_some() {
            return "candle-qmatmul/1";
        }
        if self.matrices().chain([self.head.as_ref()]).any(|l| l.quantized()) { "int8/4" } else { "f32/1" }
    }

    /// What they run on: the instruction set for integers, or a device's model; and the one for floats, which
    /// the softmax of attention uses; its sums of integers are the same on all.
    pub fn isa(&self) -> String {
        let multiplies = self.processor.as_ref().map_or(Isa::best().name(), Processor::model);
        format!("{multiplies}, {}", simd::isa())
    }

    /// Bytes of weights that are read for every pass.
    pub fn weight_bytes(&self) -> usize {
        self.matrices().map(|l| l.bytes()).sum::<usize>() + self.head.bytes()
    }

    /// Products per token in the layers, the head not counted.
    pub fn products_per_token(&self) -> usize {
        self.matrices().map(|l| l.inputs() * l.outputs()).sum()
    }

    fn matrices(&self) -> impl Iterator<Item = &dyn Linear> {
        self.layers.iter().flat_map(Layer::matrices)
    }

    /// The threads that compute.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Reads `rows` and returns the logits after those rows that want them, `[row][vocabulary]`.
    ///
    /// Rows of one sequence stand in order of position. Every token must be in the vocabulary and every sequence must
    /// have room in the context; the caller sees to both.
    ///
    /// # Errors
    /// Cancelled between two layers, an embedding of a type that cannot be read, or linear layers that could not be
    /// computed. The sequences then are as they were: positions of a pass that broke off have no keys and values and
    /// must never be taken for known.
    pub fn forward(&self, sequences: &mut [Sequence], rows: &[Row], cancel: &Cancel) -> Result<Vec<f32>, LlmError> {
        let before: Vec<usize> = sequences.iter().map(Sequence::len).collect();
        let mut buffers = std::mem::take(&mut *self.buffers.lock().unwrap_or_else(PoisonError::into_inner));
        let logits = self.pass(sequences, rows, &mut buffers, cancel);
        *self.buffers.lock().unwrap_or_else(PoisonError::into_inner) = buffers;
        if logits.is_err() {
            sequences.iter_mut().zip(before).for_each(|(sequence, len)| sequence.back_to(len));
        }
        logits
    }

    fn pass(
        &self,
        sequences: &mut [Sequence],
        rows: &[Row],
        buffers: &mut Buffers,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, LlmError> {
        let (arch, pool) = (&self.arch, &self.pool);
        let _pass = pool.pass();
        let mut at = Vec::with_capacity(rows.len());
        let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); sequences.len()];
        for (r, row) in rows.iter().enumerate() {
            let position = sequences[row.sequence].len() + rows_of[row.sequence].len();
            at.push(At { sequence: row.sequence, position });
            for sequence in [row.sequence].iter().chain(&row.also) {
                rows_of[*sequence].push(r);
            }
        }
        for (sequence, own) in sequences.iter_mut().zip(&rows_of) {
            sequence.push(own.iter().map(|r| rows[*r].token));
        }
        let runs: Vec<Vec<Run>> = sequences.iter().map(Sequence::runs).collect();
        let positions = || at.iter().map(|a| a.position);
        let angles = Angles::new(&self.frequencies, positions());
        let local_angles = Angles::new(&self.local_frequencies, positions());
        let no_angles = Angles::new(&Frequencies::default(), positions());
        let wanted: Vec<usize> = (0..rows.len()).filter(|r| rows[*r].logits).collect();

        let mut x = self.embed(rows).map_err(|what| LlmError::Internal(what.into()))?;
        let Buffers { input, qkv, mixed, change, gate_up, logits } = buffers;
        if let Some(first) = self.layers.first() {
            norm_rows(pool, &mut x, &first.attention_norm, arch.norm_eps, input);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if cancel.is_cancelled() {
                return Err(LlmError::Cancelled);
            }
            let window = arch.window(index);
            let angles = match arch.layer_rope(index) {
                LayerRope::Global => &angles,
                LayerRope::Local => &local_angles,
                LayerRope::None => &no_angles,
            };
            multiply(pool, layer.qkv.as_ref(), input, qkv)?;
            let width = layer.qkv.outputs();
            let q_width = arch.heads * arch.head_dim;
            let kv_width = arch.kv_heads * arch.head_dim;
            pool.pieces(qkv, width, FEW_ROWS, |r, row| layer.prepare(arch, angles, r, at[r].position, row));
            let mut groups = Vec::new();
            for ((s, sequence), own) in sequences.iter_mut().enumerate().zip(&rows_of) {
                if let Some(first) = own.first() {
                    groups.extend(sequence.groups(index, at[*first].position).map(|group| (s, group)));
                }
            }
            pool.pieces(&mut groups, 1, 1, |_, groups| {
                for (s, group) in groups {
                    let positions = group.first..group.first + LANES;
                    for r in rows_of[*s].iter().filter(|r| positions.contains(&at[**r].position)) {
                        let (keys, values) = qkv[r * width + q_width..(r + 1) * width].split_at(kv_width);
                        group.write(at[*r].position, keys, values);
                    }
                }
            });
            if index + 1 == self.layers.len() {
                // Nobody looks back at what the last layer makes of a row, so only the rows whose logits are wanted go
                // on.
                at = wanted.iter().map(|r| at[*r]).collect();
                x = pick(&x, &wanted, arch.width);
                *qkv = pick(qkv, &wanted, width);
            }
            let attention = Attention {
                heads: arch.heads,
                kv_heads: arch.kv_heads,
                dim: arch.head_dim,
                window: window.map(|w| w.window),
                softcap: arch.attention_softcap,
            };
            let past = Past { rows: &at, sequences, runs: &runs };
            attend(pool, attention, index, past, qkv, width, mixed);
            input.fill(pool, at.len(), q_width, |r, row| gather(attention, mixed, at.len(), r, row));
            multiply(pool, layer.out.as_ref(), input, change)?;
            let norms = (layer.post_attention_norm.as_slice(), layer.mlp_norm.as_slice());
            add_and_norm_rows(pool, &mut x, change, norms, arch, input);

            multiply(pool, layer.gate_up.as_ref(), input, gate_up)?;
            input.fill_from(pool, gate_up, 2 * arch.feed_forward, arch.feed_forward, |_, gate_up, row| {
                ops::gated(arch.activation, gate_up, row);
            });
            multiply(pool, layer.down.as_ref(), input, change)?;
            let next = self.layers.get(index + 1).map_or(&self.norm, |next| &next.attention_norm);
            add_and_norm_rows(pool, &mut x, change, (&layer.post_mlp_norm, next), arch, input);
        }
        let mut logits = std::mem::take(logits);
        multiply(pool, self.head.as_ref(), input, &mut logits)?;
        if arch.logit_scale != 1.0 {
            logits.iter_mut().for_each(|l| *l *= arch.logit_scale);
        }
        if let Some(cap) = arch.final_softcap {
            ops::softcap(&mut logits, cap);
        }
        Ok(logits)
    }

    /// Takes back what [`Self::forward`] returned, for the memory.
    pub fn recycle(&self, logits: Vec<f32>) {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).logits = logits;
    }

    fn embed(&self, rows: &[Row]) -> Result<Vec<f32>, String> {
        let width = self.arch.width;
        let mut x = vec![0.0; rows.len() * width];
        let problem = OnceLock::new();
        self.pool.pieces(&mut x, width, FEW_ROWS, |r, x| {
            let token = rows[r].token as usize;
            let read = match &self.embedding {
                None => self.head.weights(token, x),
                Some(table) => {
                    let row_bytes = table.bytes.len() / self.vocabulary;
                    dequantize_into(table.dtype, &table.bytes[token * row_bytes..(token + 1) * row_bytes], x)
                }
            };
            if let Err(what) = read {
                problem.get_or_init(|| what);
            }
            x.iter_mut().for_each(|x| *x *= self.arch.embedding_scale);
        });
        problem.into_inner().map_or(Ok(x), Err)
    }
}

/// Rows of small work that are worth another thread.
const FEW_ROWS: usize = 8;

/// The rows with the numbers `wanted`.
fn pick(x: &[f32], wanted: &[usize], width: usize) -> Vec<f32> {
    let mut some = Vec::with_capacity(wanted.len() * width);
    wanted.iter().for_each(|r| some.extend_from_slice(&x[r * width..(r + 1) * width]));
    some
}

impl Layer {
    fn load(weights: &mut Weights<'_>, arch: &Arch, index: usize) -> Result<Self, LlmError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let q = arch.heads * arch.head_dim;
        let kv = arch.kv_heads * arch.head_dim;
        let parts = [(name("attn_q"), q), (name("attn_k"), kv), (name("attn_v"), kv)];
        let named = |kind: &str, fused: bool| match fused {
            true => vec![(name(&format!("attn_qkv.{kind}")), q + 2 * kv)],
            false => parts.iter().map(|(part, len)| (format!("{part}.{kind}"), *len)).collect(),
        };
        let fused = |weights: &Weights<'_>, kind: &str| weights.has(&name(&format!("attn_qkv.{kind}")));
        let mut qkv_bias = Vec::new();
        let biases = named("bias", fused(weights, "bias"));
        if arch.qkv_bias && biases.iter().any(|(name, _)| weights.has(name)) {
            for (name, len) in &biases {
                qkv_bias.extend(weights.vector(name, *len)?);
            }
        }
        let qkv = named("weight", fused(weights, "weight"));
        let (gate, up) = (name("ffn_gate.weight"), name("ffn_up.weight"));
        let gate_up = match arch.fused_gate_up {
            true => vec![(up, 2 * arch.feed_forward)],
            false => vec![(gate, arch.feed_forward), (up, arch.feed_forward)],
        };
        Ok(Self {
            attention_norm: weights.vector(&name("attn_norm.weight"), arch.width)?,
            qkv: weights.linear(&qkv, arch.width)?,
            qkv_bias,
            q_norm: weights.vector_if(arch.qk_norm, &name("attn_q_norm.weight"), arch.head_dim)?,
            k_norm: weights.vector_if(arch.qk_norm, &name("attn_k_norm.weight"), arch.head_dim)?,
            out: weights.linear(&[(name("attn_output.weight"), arch.width)], q)?,
            post_attention_norm: weights.vector_if(arch.sandwich, &name("post_attention_norm.weight"), arch.width)?,
            mlp_norm: weights.vector(&name("ffn_norm.weight"), arch.width)?,
            gate_up: weights.linear(&gate_up, arch.width)?,
            down: weights.linear(&[(name("ffn_down.weight"), arch.width)], arch.feed_forward)?,
            post_mlp_norm: weights.vector_if(arch.sandwich, &name("post_ffw_norm.weight"), arch.width)?,
        })
    }

    fn matrices(&self) -> [&dyn Linear; 4] {
        [self.qkv.as_ref(), self.out.as_ref(), self.gate_up.as_ref(), self.down.as_ref()]
    }

    /// Bias, head norms, rotation and the attention scale, on one row of queries, keys and values.
    fn prepare(&self, arch: &Arch, angles: &Angles, row: usize, position: usize, qkv: &mut [f32]) {
        qkv.iter_mut().zip(&self.qkv_bias).for_each(|(x, b)| *x += b);
        let rotated = (arch.heads + arch.kv_heads) * arch.head_dim;
        let scale = arch.query_scale(position);
        for (h, head) in qkv[..rotated].chunks_exact_mut(arch.head_dim).enumerate() {
            let is_query = h < arch.heads;
            if arch.qk_norm {
                ops::rms_norm(head, if is_query { &self.q_norm } else { &self.k_norm }, arch.norm_eps);
            }
            angles.rotate(arch.rope_style, row, head);
            if is_query {
                head.iter_mut().for_each(|x| *x *= scale);
            }
        }
    }
}

/// `out = x · Wᵀ`; what `out` held does not matter.
fn multiply(pool: &Pool, layer: &dyn Linear, x: &Activations, out: &mut Vec<f32>) -> Result<(), LlmError> {
    out.resize(x.rows() * layer.outputs(), 0.0);
    layer.forward(pool, x, out)
}

fn norm_rows(pool: &Pool, x: &mut [f32], weight: &[f32], eps: f32, out: &mut Activations) {
    out.fill_from(pool, x, weight.len(), weight.len(), |_, x, row| {
        row.copy_from_slice(x);
        ops::rms_norm(row, weight, eps);
    });
}

/// `x += scale * change`, where each row of `change` is normed first by `norms.0` where the architecture has norms
/// there; then `out = norm(x)` with the weights `norms.1`.
fn add_and_norm_rows(
    pool: &Pool,
    x: &mut [f32],
    change: &[f32],
    norms: (&[f32], &[f32]),
    arch: &Arch,
    out: &mut Activations,
) {
    let (width, scale) = (arch.width, arch.residual_scale);
    out.fill_from(pool, x, width, width, |r, x, row| {
        row.copy_from_slice(&change[r * width..(r + 1) * width]);
        if arch.sandwich {
            ops::rms_norm(row, norms.0, arch.norm_eps);
        }
        x.iter_mut().zip(row.iter()).for_each(|(x, c)| *x += c * scale);
        row.copy_from_slice(x);
        ops::rms_norm(row, norms.1, arch.norm_eps);
    });
}

#[cfg(test)]
mod tests;
