//! The reference: the same objects, linked statically by `rust-lld`.
//!
//! A linker script gives each section of each object an output section of its own, between two
//! symbols that tell where it is.

use crate::{Input, OracleError, View, is_loaded, parse};
use handover::layout::OBJECTS;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `rust-lld` is, and a folder that it may write to.
#[derive(Clone, Debug)]
pub struct Linker {
    /// The program.
    pub program: PathBuf,
    /// The folder.
    pub folder: PathBuf,
}

impl Linker {
    /// The one of the toolchain in use.
    ///
    /// # Errors
    ///
    /// When `rustc` does not tell where its toolchain is.
    pub fn of_toolchain(folder: PathBuf) -> Result<Self, OracleError> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(&rustc)
            .args(["--print", "sysroot"])
            .output()
            .map_err(|error| OracleError::File {
                path: rustc.into(),
                error,
            })?;
        let sysroot = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        let program = Path::new(&sysroot).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
        Ok(Self { program, folder })
    }
}

/// Links all `inputs` with `rust-lld`.
///
/// # Errors
///
/// When a file cannot be written or read, or the linker fails.
pub fn link(inputs: &[Input], linker: &Linker) -> Result<View, OracleError> {
    let folder = &linker.folder;
    let in_folder = |path: &Path| {
        let path = path.to_owned();
        move |error| OracleError::File { path, error }
    };
    std::fs::create_dir_all(folder).map_err(in_folder(folder))?;
    let mut command = Command::new(&linker.program);
    // Ours looks at the instruction and relaxes what it can; the reference shall not, so that the
    // two ways are compared.
    command.args([
        "-flavor",
        "gnu",
        "-static",
        "--no-gc-sections",
        "--no-relax",
    ]);
    command.args([
        "--build-id=none",
        "-z",
        "norelro",
        "-z",
        "nognustack",
        "-e",
        "0",
        "-T",
    ]);
    let script = folder.join("oracle.ld");
    std::fs::write(&script, linker_script(inputs)?).map_err(in_folder(&script))?;
    let output = folder.join("oracle.elf");
    command.arg(&script).arg("-o").arg(&output);
    for (number, input) in inputs.iter().enumerate() {
        let path = folder.join(file_name(number));
        std::fs::write(&path, plain(&input.bytes)).map_err(in_folder(&path))?;
        command.arg(path);
    }
    let result = command.output().map_err(in_folder(&linker.program))?;
    if !result.status.success() {
        let message = String::from_utf8_lossy(&result.stderr).into_owned();
        return Err(OracleError::Reference(message));
    }
    let bytes = std::fs::read(&output).map_err(in_folder(&output))?;
    view(
        inputs,
        &Input {
            name: "rust-lld's output".to_owned(),
            bytes,
        },
    )
}

/// One output section for each input section, with a gap before it, so that the end of one is not the
/// start of the next.
fn linker_script(inputs: &[Input]) -> Result<String, OracleError> {
    let mut script = format!("PHDRS {{ all PT_LOAD FLAGS(7); }}\nSECTIONS {{\n. = {OBJECTS:#x};\n");
    for (number, input) in inputs.iter().enumerate() {
        for section in parse(input)?.sections().filter(is_loaded) {
            let index = section.index().0;
            let file = file_name(number);
            let name = section.name().map(plain_name).unwrap_or_default();
            let symbol = symbol(number, index);
            // Writing to a string cannot fail.
            let _ = writeln!(
                script,
                ". = ALIGN(. + 16, {}); {symbol} = .; .{symbol} : {{ *{file}(\"{name}\") }} :all",
                section.align().max(1),
            );
        }
    }
    script.push_str(
        ".got : { *(.got) *(.got.plt) } :all\n/DISCARD/ : { *(.strake) *(.comment) }\n}\n",
    );
    Ok(script)
}

fn file_name(number: usize) -> String {
    format!("object{number:05}.o")
}

fn symbol(object: usize, section: usize) -> String {
    format!("oracle_{object}_{section}")
}

/// `rust-lld` rewrites unwind tables and pools of strings, which would move what is in them; under
/// another name and without a flag they are sections like others.
fn plain(elf: &[u8]) -> Vec<u8> {
    const HEADER: usize = 64;
    const MERGE_AND_STRINGS: u64 = 0x30;
    const PROGBITS: u32 = 1;
    const UNWIND: u32 = 0x7000_0001;
    let mut elf = elf.to_vec();
    let table = elf
        .get(40..48)
        .and_then(|word| word.first_chunk().copied())
        .map(u64::from_le_bytes);
    let count = elf
        .get(60..62)
        .and_then(|half| half.first_chunk().copied())
        .map(u16::from_le_bytes);
    let (Some(table), Some(count)) = (table, count) else {
        return elf;
    };
    let headers = usize::try_from(table)
        .ok()
        .and_then(|table| elf.get_mut(table..));
    let Some(headers) = headers else { return elf };
    for header in headers.chunks_exact_mut(HEADER).take(usize::from(count)) {
        let (name, rest) = header.split_at_mut(4);
        let (kind, rest) = rest.split_at_mut(4);
        if kind == UNWIND.to_le_bytes() {
            kind.copy_from_slice(&PROGBITS.to_le_bytes());
            // `.eh_frame` without its dot is the tail of the same string.
            if let Ok(offset) = <&[u8; 4]>::try_from(&*name) {
                let offset = u32::from_le_bytes(*offset).wrapping_add(1);
                name.copy_from_slice(&offset.to_le_bytes());
            }
        }
        if let Some(flags) = rest.first_chunk_mut::<8>() {
            *flags = (u64::from_le_bytes(*flags) & !MERGE_AND_STRINGS).to_le_bytes();
        }
    }
    elf
}

/// The name that [`plain`] gives a section.
fn plain_name(name: &str) -> &str {
    if name == ".eh_frame" {
        "eh_frame"
    } else {
        name
    }
}

fn view(inputs: &[Input], output: &Input) -> Result<View, OracleError> {
    let mut view = View::default();
    let file = parse(output)?;
    let error = |error| OracleError::Object {
        name: output.name.clone(),
        error,
    };
    let symbols: HashMap<&str, u64> = file
        .symbols()
        .filter_map(|symbol| Some((symbol.name().ok()?, symbol.address())))
        .filter(|(name, _)| name.starts_with("oracle_"))
        .collect();
    for (number, input) in inputs.iter().enumerate() {
        for section in parse(input)?.sections().filter(is_loaded) {
            let index = section.index().0;
            if let Some(&start) = symbols.get(symbol(number, index).as_str()) {
                view.add_section((number, index), start, section.size());
            }
        }
    }
    for section in file.sections().filter(is_loaded) {
        let start = section.address();
        view.add_memory(start, section.data().map_err(error)?.to_vec());
        if section.name().is_ok_and(|name| name == ".got") {
            view.got.push(start..start + section.size());
        }
    }
    Ok(view)
}
