//! A Rust program that does nothing: the baseline for the start of all other programs.

fn main() {}
