//! The matrix products by themselves: every packed type at the row counts that matter, on each instruction set of the
//! machine.
//!
//! Must not be a test: figures are for people, and for comparing two builds on one machine in one run.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossexam::llm::gguf::GgmlType;
use crossexam::llm::kernels::activations::Activations;
use crossexam::llm::kernels::arena::Arena;
use crossexam::llm::kernels::blocks::Format;
use crossexam::llm::kernels::isa::Isa;
use crossexam::llm::kernels::matmul::multiply;
use crossexam::llm::kernels::packed::Packed;
use crossexam::llm::kernels::pool::Pool;
use std::time::Duration;

/// Shapes of the small models that use the type: outputs and inputs.
const CASES: [(GgmlType, usize, usize); 5] = [
    (GgmlType::Q4_1, 3072, 576),
    (GgmlType::Q5_0, 9728, 896),
    (GgmlType::Q8_0, 8192, 640),
    (GgmlType::Q4_K, 1536, 8960),
    (GgmlType::Q6_K, 1536, 8960),
];

fn products(c: &mut Criterion) {
    let pool = Pool::new(1).unwrap();
    for (dtype, outputs, inputs) in CASES {
        let (per_block, bytes) = dtype.block().unwrap();
        let block = vec![0x11; outputs * inputs / per_block * bytes];
        let weights = Packed::new(&mut Arena::default(), Format::of(dtype).unwrap(), outputs, inputs, &block).unwrap();
        let mut group = c.benchmark_group(format!("{dtype} {outputs}x{inputs}"));
        group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(20);
        for rows in [1, 6, 16, 128] {
            let mut x = Activations::default();
            x.fill(&pool, rows, inputs, |r, x| {
                x.iter_mut().enumerate().for_each(|(i, x)| *x = ((i + r) as f32 * 0.37).sin());
            });
            let mut out = vec![0.0; rows * outputs];
            group.throughput(Throughput::Elements((rows * outputs * inputs) as u64));
            for isa in Isa::ALL.into_iter().filter(|isa| isa.available() && *isa != Isa::Scalar) {
                group.bench_with_input(BenchmarkId::new(isa.name(), rows), &rows, |b, _| {
                    b.iter(|| multiply(&pool, isa, &[&weights], &x, &mut out));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
