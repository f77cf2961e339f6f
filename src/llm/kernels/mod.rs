//! Kernels: the one place of the project where `unsafe` is allowed, each block with its proof.
//!
//! Must give the same bits on every instruction set, in every batch and on any number of threads.

pub mod activations;
pub mod arena;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod blocks;
pub mod isa;
pub mod matmul;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod packed;
pub mod pairs;
pub mod pool;
pub mod probe;
pub mod record;
mod round;
mod scalar;
#[cfg(test)]
mod tests;
mod tile;
