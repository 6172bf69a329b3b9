//! Names of functions and constants, by their keys.

use alloc::string::{String, ToString};
use linker::{
    FunctionKey, Key,
    format::metadata::{ItemKind, Metadata},
};
use loader::Loaded;

/// The path of a function of a version.
pub(crate) fn function_name(loaded: &Loaded, FunctionKey { key, .. }: FunctionKey) -> String {
    let named = |metadata: Metadata<'_>| {
        let item = metadata.item(ItemKind::Function, key.0)?;
        Some(metadata.strings.get(item.name)?.to_string())
    };
    loaded
        .metadata()
        .and_then(named)
        .filter(|name| !name.is_empty())
        .or_else(|| symbol_name(loaded, key))
        .unwrap_or_else(|| alloc::format!("{}: function {key}", loaded.name))
}

/// The path of a symbol, from the symbol table: also of what has no item, as in a prebuilt object.
pub(crate) fn symbol_name(loaded: &Loaded, key: Key) -> Option<String> {
    let metadata = loaded.metadata()?;
    let index = metadata
        .symbols
        .iter()
        .position(|symbol| symbol.key == key.0)?;
    let symbols = loaded.symbols()?;
    let symbol = symbols.iter().find(|symbol| symbol.index == index)?;
    Some(loader::demangled(symbol.name))
}
