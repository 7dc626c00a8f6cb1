//! What a Rust program costs that does nothing: the measure of every other start.

fn main() {}
