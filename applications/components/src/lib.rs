//! Lists what is linked now: components, instances of applications, and replaced versions that are
//! still mapped.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, string::String, vec::Vec};
use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, fail, println};
use loader::{ComponentInfo, LoadError};

application::application! {
    usage: Usage {
        name: "components",
        summary: "list the linked components",
        operands: Operands::many("[COMPONENT]…", 0),
        options: &[OptionSpec::JSON],
        notes: &[
            "Sizes are in bytes; USERS is the number of components that import from one.",
            "A retired version has been replaced or unloaded and is still mapped.",
        ],
        exit_codes: &[(1, "no component has one of the names")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let found = match select(arguments.operands()) {
        Ok(found) => found,
        Err(error) => return fail("components", error),
    };
    if arguments.has("json") {
        println!("{}", Json::array(found.iter().map(describe)));
    } else {
        print_table(&found);
    }
    let missing = arguments
        .operands()
        .iter()
        .find(|name| !found.iter().any(|c| c.name == **name));
    match missing {
        Some(name) => fail(
            "components",
            format!("no linked component is called '{name}'"),
        ),
        None => ExitCode::SUCCESS,
    }
}

/// The components with these names; all if there are none.
fn select(names: &[String]) -> Result<Vec<ComponentInfo>, LoadError> {
    let mut found = loader::components()?;
    found.extend(loader::retired()?);
    found.retain(|component| names.is_empty() || names.contains(&component.name));
    Ok(found)
}

fn describe(component: &ComponentInfo) -> Json {
    Json::object([
        ("name", (&component.name).into()),
        ("version", (&component.version).into()),
        ("id", id(component).into()),
        ("state", component.state.as_str().into()),
        ("text", component.text_size.into()),
        ("rodata", component.rodata_size.into()),
        ("data", component.data_size.into()),
        ("unsafe", component.uses_unsafe.into()),
        ("users", component.users.into()),
    ])
}

fn id(component: &ComponentInfo) -> String {
    format!("{:032x}", component.content_id)
}

fn print_table(components: &[ComponentInfo]) {
    let width = components
        .iter()
        .map(|component| component.name.len())
        .max()
        .unwrap_or(0)
        .max(4);
    println!(
        "{:<width$}  {:<9} {:<16} {:<8} {:>8} {:>8} {:>7}  {:<6} {:>5}",
        "NAME", "VERSION", "ID", "STATE", "TEXT", "RODATA", "DATA", "UNSAFE", "USERS"
    );
    for component in components {
        println!(
            "{:<width$}  {:<9} {:.16} {:<8} {:>8} {:>8} {:>7}  {:<6} {:>5}",
            component.name,
            component.version,
            id(component),
            component.state.as_str(),
            component.text_size,
            component.rodata_size,
            component.data_size,
            if component.uses_unsafe { "yes" } else { "no" },
            component.users,
        );
    }
}
