//! A component's object, as far as it is read before anything is linked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::Object;

fuzz_target!(|bytes: &[u8]| {
    let Ok(object) = Object::parse(bytes, None) else { return };
    let layout = object.layout();
    for symbol in object.symbols() {
        let _ = (object.symbol_name(symbol), symbol.is_import(), symbol.is_exported());
    }
    for index in 0..object.sections().len() {
        let _ = layout.section(index);
    }
    let _ = object.imports().count();
});
