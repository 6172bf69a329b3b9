//! Builds the image: objects, archive, nucleus, ISO.
fn main() {}
