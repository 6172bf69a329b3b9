//! Prints the items of an object: `show OBJECT CRATE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: show OBJECT CRATE");
        return ExitCode::from(2);
    };
    match show(&path, &name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(path: &str, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let object = std::fs::read(path)?;
    let start = std::time::Instant::now();
    let analysis = digests::analyse(&object, name)?;
    let milliseconds = start.elapsed().as_millis();
    for item in &analysis.items {
        println!(
            "{:?} {:016x} {} | {}",
            item.kind, item.digest, item.key_name, item.shape
        );
    }
    for problem in &analysis.static_problems {
        println!("{problem}");
    }
    let locations = digests::panic_locations(&object)?.len();
    eprintln!(
        "{} items, {locations} panic locations, {milliseconds} ms",
        analysis.items.len()
    );
    Ok(())
}
