//! Which address belongs to what.

use crate::{error::InjectError, guest::Guest};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A function of a component.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Its component.
    pub(crate) component: String,
    /// Its path.
    pub(crate) name: String,
    /// Bytes of its code.
    size: u64,
}

/// The functions of all components.
#[derive(Default)]
pub(crate) struct Symbols {
    by_address: BTreeMap<u64, Function>,
    by_stub: HashMap<u64, u64>,
    /// The first function of each component.
    bases: BTreeMap<String, u64>,
}

impl Symbols {
    /// Asks `guest` for them.
    pub(crate) fn of(guest: &mut Guest) -> Result<Self, InjectError> {
        let mut symbols = Self::default();
        let components = guest.json("components --json")?;
        for component in components.as_array().into_iter().flatten() {
            if component["state"] != "loaded" {
                continue;
            }
            let name = component["name"].as_str().unwrap_or_default().to_owned();
            let table = guest.json(&format!("symbols {name} --json"))?;
            for symbol in table.as_array().into_iter().flatten() {
                symbols.add(&name, symbol);
            }
        }
        Ok(symbols)
    }

    fn add(&mut self, component: &str, symbol: &Value) {
        if symbol["kind"] != "function" {
            return;
        }
        let Some(address) = address_of(&symbol["address"]) else {
            return;
        };
        if let Some(stub) = address_of(&symbol["stub"]) {
            self.by_stub.insert(stub, address);
        }
        let function = Function {
            component: component.to_owned(),
            name: symbol["name"].as_str().unwrap_or_default().to_owned(),
            size: symbol["size"].as_u64().unwrap_or_default(),
        };
        self.by_address.insert(address, function);
        let base = self.bases.entry(component.to_owned()).or_insert(address);
        *base = address.min(*base);
    }

    /// Where each component begins.
    pub(crate) const fn bases(&self) -> &BTreeMap<String, u64> {
        &self.bases
    }

    /// The function that `address` lies in, or is the stub of.
    pub(crate) fn at(&self, address: u64) -> Option<&Function> {
        let address = self.by_stub.get(&address).copied().unwrap_or(address);
        let (start, function) = self.by_address.range(..=address).next_back()?;
        (address - start < function.size.max(1)).then_some(function)
    }

    /// The function that `address` lies in behind its beginning.
    pub(crate) fn inside(&self, address: u64) -> Option<&Function> {
        let (start, function) = self.by_address.range(..address).next_back()?;
        (address - start < function.size).then_some(function)
    }

    /// The address of the function of this name.
    pub(crate) fn address(&self, component: &str, name: &str) -> Result<u64, InjectError> {
        self.by_address
            .iter()
            .find(|(_, it)| it.component == component && it.name == name)
            .map(|(address, _)| *address)
            .ok_or_else(|| {
                InjectError::Unexpected(format!("there is no function {name} in {component}"))
            })
    }
}

fn address_of(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.trim_start_matches("0x"), 16).ok()
}
