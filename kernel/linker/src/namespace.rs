//! The namespace: which components are linked, what they export, and where stubs and statics are.
//!
//! Pure data: the nucleus fills one at boot, the loader another one from the hand-over and keeps it
//! up to date. A swap works on a clone, so that a refused one leaves nothing to take back.
//!
//! A stub belongs to a function's key, its shape *and* the component that defines it. The component,
//! because private functions and foreign generics of one path can occur in several, and each needs a
//! stub of its own. The shape, because a path can be taken by another function in a later build (the
//! next closure of a function, or one that vanished and comes back otherwise): whoever holds the old
//! one's address must not be led into the new one, nor the new build to the old one.

use crate::{
    component::{Component, ComponentId, Export, Replacement, SlotStore, StaticStorage, Stub},
    error::LinkError,
    format::metadata::Class,
    key::{FunctionKey, Key, KeyMap},
    layout::Layout,
    link::{Images, Import, Resolver, link},
    object::{Binding, Object, Symbol},
    placement::Placement,
    stub::StubIndex,
};
use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};
use handover::{VirtualRange, layout};

/// The set of linked components and their symbols.
#[derive(Clone)]
pub struct Namespace {
    /// Shared by clones, so that a swap copies only what it changes.
    components: Vec<Option<Arc<Component>>>,
    exports: KeyMap<Key, Export>,
    stubs: Vec<Option<Stub>>,
    by_function: KeyMap<(ComponentId, FunctionKey), StubIndex>,
    free_stubs: VecDeque<StubIndex>,
    fresh_stubs: Vec<StubIndex>,
    capacity: usize,
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Namespace {
    /// A namespace without components, whose stubs fill the stub area.
    #[must_use]
    pub fn new() -> Self {
        let bytes = layout::STUBS_END - layout::STUBS;
        Self {
            components: Vec::new(),
            exports: KeyMap::default(),
            stubs: Vec::new(),
            by_function: KeyMap::default(),
            free_stubs: VecDeque::new(),
            fresh_stubs: Vec::new(),
            capacity: usize::try_from(bytes / layout::STUB_SIZE).unwrap_or(usize::MAX),
        }
    }

    /// Makes room for this many exports and stubs, so that linking does not grow the tables again
    /// and again.
    pub fn reserve(&mut self, exports: usize, stubs: usize) {
        self.exports.reserve(exports);
        self.by_function.reserve(stubs);
        self.stubs.reserve(stubs);
    }

    /// Enters an object that will be mapped as `placement` says, and its exports. It is to be
    /// linked with [`Namespace::link`], when all that it imports has been entered too.
    ///
    /// # Errors
    ///
    /// When it defines a symbol that another component defines, neither weakly. Nothing is entered.
    pub fn add(
        &mut self,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: &Placement,
        exported: bool,
    ) -> Result<ComponentId, LinkError> {
        if exported {
            self.check_duplicates(object, None, &[])?;
        }
        let id = self.free_id();
        let exports = match exported {
            true => self.export(id, object, layout, placement),
            false => Vec::new(),
        };
        let component = Component {
            name: object.name().to_owned(),
            text: range(placement.text, layout.text.size),
            rodata: range(placement.rodata, layout.rodata.size),
            exported,
            exports,
            was_used: false,
            statics: storage(layout, placement),
            stubs: Vec::new(),
            uses: BTreeMap::new(),
        };
        self.set(id, Arc::new(component));
        Ok(id)
    }

    /// Links an object that has been entered as `id`: fills `images`, makes stubs on demand and
    /// notes from whom it imports.
    ///
    /// # Errors
    ///
    /// When an import is missing, a value does not fit or the stub area is full.
    pub fn link(
        &mut self,
        id: ComponentId,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: &Placement,
        images: &mut Images<'_>,
    ) -> Result<(), LinkError> {
        let mut session = Session {
            namespace: self,
            id,
            uses: BTreeMap::new(),
        };
        link(object, layout, placement, images, &mut session)?;
        let uses = session.uses;
        self.note_used(id, &uses);
        self.slot_mut(id).ok_or(LinkError::NoComponent(id.0))?.uses = uses;
        Ok(())
    }

    /// Takes a component out: its exports and its stubs. The stubs are the last to be used again.
    /// Returns what it was.
    pub fn remove(&mut self, id: ComponentId) -> Option<Component> {
        let component = self.components.get_mut(id.0 as usize)?.take()?;
        self.withdraw(id, &component.exports);
        for stub in &component.stubs {
            if let Some(entry) = self.stubs.get_mut(stub.0 as usize).and_then(Option::take) {
                self.by_function.remove(&(id, entry.function));
                self.free_stubs.push_back(*stub);
            }
        }
        Some(Arc::unwrap_or_clone(component))
    }

    /// Takes a component out as [`Namespace::remove`] does, but keeps its stubs: somebody may hold
    /// their addresses, so they lead to the old code for ever.
    pub fn retire(&mut self, id: ComponentId) -> Option<Component> {
        let component = self.components.get_mut(id.0 as usize)?.take()?;
        self.withdraw(id, &component.exports);
        for stub in &component.stubs {
            if let Some(Some(entry)) = self.stubs.get_mut(stub.0 as usize) {
                self.by_function.remove(&(id, entry.function));
                entry.component = ComponentId::NOBODY;
            }
        }
        Some(Arc::unwrap_or_clone(component))
    }

    /// Replaces the object of a component: new exports, new statics, and its stubs lead to the new
    /// functions of the same key and shape. A stub keeps its target when the new object does not
    /// define its function. To be followed by [`Namespace::link`].
    ///
    /// `pending` are the components that are going to be replaced together with this one: a symbol
    /// may move from one of them to another.
    ///
    /// # Errors
    ///
    /// When there is no such component or another one defines one of its new symbols.
    pub fn replace(
        &mut self,
        id: ComponentId,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: &Placement,
        pending: &[ComponentId],
    ) -> Result<Replacement, LinkError> {
        let exported = self
            .component(id)
            .ok_or(LinkError::NoComponent(id.0))?
            .exported;
        if exported {
            self.check_duplicates(object, Some(id), pending)?;
            let before = core::mem::take(
                &mut self
                    .slot_mut(id)
                    .ok_or(LinkError::NoComponent(id.0))?
                    .exports,
            );
            self.withdraw(id, &before);
            let exports = self.export(id, object, layout, placement);
            if let Some(component) = self.slot_mut(id) {
                component.exports = exports;
            }
        }
        let mut functions = KeyMap::default();
        for symbol in object.symbols() {
            if symbol.class == Class::Function
                && !symbol.key.is_none()
                && let Some(address) = placement.symbol(object, layout, symbol)
            {
                functions.insert(symbol.function(), address);
            }
        }
        let statics = storage(layout, placement);
        let component = self.slot_mut(id).ok_or(LinkError::NoComponent(id.0))?;
        let replaced =
            core::mem::replace(&mut component.text, range(placement.text, layout.text.size));
        component.rodata = range(placement.rodata, layout.rodata.size);
        component.statics = statics;
        let stubs = component.stubs.clone();
        Ok(self.retarget(&stubs, replaced, &functions))
    }

    /// Leads `stubs` to the new `functions`. Those that have none keep their target; they are listed
    /// if it lies in the text that is `replaced` now.
    fn retarget(
        &mut self,
        stubs: &[StubIndex],
        replaced: VirtualRange,
        functions: &KeyMap<FunctionKey, u64>,
    ) -> Replacement {
        let mut replacement = Replacement::default();
        for stub in stubs {
            let Some(Some(entry)) = self.stubs.get_mut(stub.0 as usize) else {
                continue;
            };
            match functions.get(&entry.function).copied() {
                Some(new) => {
                    replacement.stores.push(SlotStore {
                        stub: *stub,
                        old: entry.target,
                        new,
                    });
                    entry.target = new;
                }
                None if replaced.contains(entry.target) => replacement.kept.push(*stub),
                None => {}
            }
        }
        replacement
    }

    /// Enters the next stub of the stub area, which somebody else has made.
    ///
    /// # Errors
    ///
    /// When there is no such component.
    pub fn adopt_stub(&mut self, stub: Stub) -> Result<StubIndex, LinkError> {
        let index = StubIndex(u32::try_from(self.stubs.len()).unwrap_or(u32::MAX));
        let owner = self.slot_mut(stub.component);
        owner
            .ok_or(LinkError::NoComponent(stub.component.0))?
            .stubs
            .push(index);
        self.by_function
            .insert((stub.component, stub.function), index);
        self.stubs.push(Some(stub));
        Ok(index)
    }

    /// Notes from whom a component imports, when somebody else has linked it: the keys of its
    /// imports.
    pub fn adopt_uses(&mut self, id: ComponentId, imports: impl IntoIterator<Item = Key>) {
        let mut uses = BTreeMap::new();
        for import in imports {
            if let Some(export) = self.exports.get(&import) {
                *uses.entry(export.component).or_insert(0) += 1;
            }
        }
        self.note_used(id, &uses);
        if let Some(component) = self.slot_mut(id) {
            component.uses = uses;
        }
    }

    /// Notes that `user` knows addresses in others.
    fn note_used(&mut self, user: ComponentId, uses: &BTreeMap<ComponentId, u32>) {
        for used in uses.keys().filter(|used| **used != user) {
            let unknown = self.component(*used).is_some_and(|it| !it.was_used);
            if unknown && let Some(component) = self.slot_mut(*used) {
                component.was_used = true;
            }
        }
    }

    /// Takes out what `id` exports under `keys`.
    fn withdraw(&mut self, id: ComponentId, keys: &[Key]) {
        for key in keys {
            if self.exports.get(key).is_some_and(|it| it.component == id) {
                self.exports.remove(key);
            }
        }
    }

    /// The stubs made since the last call: their bytes have to be written before anything runs.
    pub fn take_fresh_stubs(&mut self) -> Vec<StubIndex> {
        core::mem::take(&mut self.fresh_stubs)
    }

    /// The components, in the order of their numbers.
    pub fn components(&self) -> impl Iterator<Item = (ComponentId, &Component)> {
        self.components
            .iter()
            .zip(0..)
            .filter_map(|(component, number)| {
                component
                    .as_deref()
                    .map(|component| (ComponentId(number), component))
            })
    }

    /// The component with this number.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> Option<&Component> {
        self.components.get(id.0 as usize)?.as_deref()
    }

    /// The component with this name that others can import from.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ComponentId> {
        self.components()
            .find(|(_, component)| component.exported && component.name == name)
            .map(|(id, _)| id)
    }

    /// Who defines `key`.
    #[must_use]
    pub fn export_of(&self, key: Key) -> Option<Export> {
        self.exports.get(&key).copied()
    }

    /// All exports, in no order.
    pub fn exports(&self) -> impl Iterator<Item = (Key, Export)> + '_ {
        self.exports.iter().map(|(key, export)| (*key, *export))
    }

    /// The stub at `index`.
    #[must_use]
    pub fn stub(&self, index: StubIndex) -> Option<Stub> {
        *self.stubs.get(index.0 as usize)?
    }

    /// The stubs in use, in the order of their addresses.
    pub fn stubs(&self) -> impl Iterator<Item = (StubIndex, Stub)> + '_ {
        self.stubs
            .iter()
            .zip(0..)
            .filter_map(|(stub, index)| stub.map(|stub| (StubIndex(index), stub)))
    }

    /// One more than the highest index that a stub has had: how much of the stub area is taken.
    #[must_use]
    pub fn stub_area(&self) -> usize {
        self.stubs.len()
    }

    /// The stub of a component's function, if it has one.
    #[must_use]
    pub fn stub_of(&self, component: ComponentId, function: FunctionKey) -> Option<StubIndex> {
        self.by_function.get(&(component, function)).copied()
    }

    /// Imports of `object` that nobody here defines, weak ones left out.
    pub fn missing<'o>(&'o self, object: &'o Object<'_>) -> impl Iterator<Item = &'o Symbol> {
        object.imports().filter(|symbol| {
            symbol.class == Class::Import && !self.exports.contains_key(&symbol.key)
        })
    }

    /// The components that import from `id`, itself left out.
    pub fn users(&self, id: ComponentId) -> impl Iterator<Item = (ComponentId, &Component)> {
        self.components()
            .filter(move |(user, component)| *user != id && component.uses.contains_key(&id))
    }

    fn check_duplicates(
        &self,
        object: &Object<'_>,
        replaced: Option<ComponentId>,
        pending: &[ComponentId],
    ) -> Result<(), LinkError> {
        for symbol in object
            .exports()
            .filter(|symbol| symbol.binding == Binding::Global)
        {
            let Some(other) = self.exports.get(&symbol.key) else {
                continue;
            };
            let goes = Some(other.component) == replaced || pending.contains(&other.component);
            if !other.weak && !goes {
                return Err(LinkError::Duplicate {
                    object: object.name().to_owned(),
                    symbol: object.symbol_name(symbol).to_owned(),
                    other: self
                        .component(other.component)
                        .map_or("?", |it| &it.name)
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    fn export(
        &mut self,
        component: ComponentId,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: &Placement,
    ) -> Vec<Key> {
        let mut keys = Vec::new();
        for symbol in object.exports() {
            let Some(address) = placement.symbol(object, layout, symbol) else {
                continue;
            };
            keys.push(symbol.key);
            let weak = symbol.binding == Binding::Weak;
            let export = Export {
                component,
                address,
                class: symbol.class,
                digest: symbol.digest,
                weak,
            };
            if weak {
                self.exports.entry(symbol.key).or_insert(export);
            } else {
                self.exports.insert(symbol.key, export);
            }
        }
        keys
    }

    /// The lowest number that no component has.
    fn free_id(&mut self) -> ComponentId {
        let free = self.components.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.components.push(None);
            self.components.len() - 1
        });
        ComponentId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn set(&mut self, id: ComponentId, component: Arc<Component>) {
        if let Some(slot) = self.components.get_mut(id.0 as usize) {
            *slot = Some(component);
        }
    }

    fn slot_mut(&mut self, id: ComponentId) -> Option<&mut Component> {
        let component = self.components.get_mut(id.0 as usize)?.as_mut()?;
        Some(Arc::make_mut(component))
    }

    /// The stub of a function, made when there is none yet.
    fn stub_for(
        &mut self,
        component: ComponentId,
        function: FunctionKey,
        target: u64,
    ) -> Option<StubIndex> {
        if let Some(index) = self.by_function.get(&(component, function)) {
            return Some(*index);
        }
        let entry = Stub {
            function,
            component,
            target,
        };
        let index = match self.free_stubs.pop_front() {
            Some(index) => index,
            None if self.stubs.len() < self.capacity => {
                self.stubs.push(None);
                StubIndex(u32::try_from(self.stubs.len() - 1).ok()?)
            }
            None => return None,
        };
        *self.stubs.get_mut(index.0 as usize)? = Some(entry);
        self.slot_mut(component)?.stubs.push(index);
        self.by_function.insert((component, function), index);
        self.fresh_stubs.push(index);
        Some(index)
    }
}

/// The linking of one component: answers from the namespace and notes who is used.
struct Session<'n> {
    namespace: &'n mut Namespace,
    id: ComponentId,
    uses: BTreeMap<ComponentId, u32>,
}

impl Resolver for Session<'_> {
    fn own_stub(&mut self, function: FunctionKey, code: u64) -> Option<u64> {
        self.namespace
            .stub_for(self.id, function, code)
            .map(StubIndex::address)
    }

    fn import(&mut self, key: Key) -> Import {
        let Some(export) = self.namespace.export_of(key) else {
            return Import::Missing;
        };
        *self.uses.entry(export.component).or_insert(0) += 1;
        if export.class != Class::Function {
            return Import::Address(export.address);
        }
        let function = FunctionKey {
            key,
            digest: export.digest,
        };
        self.namespace
            .stub_for(export.component, function, export.address)
            .map_or(Import::NoStub, |stub| Import::Address(stub.address()))
    }
}

fn storage(layout: &Layout<'_>, placement: &Placement) -> Vec<StaticStorage> {
    let places = placement.statics.iter();
    places
        .zip(&layout.statics)
        .map(|(place, entry)| StaticStorage {
            key: entry.key,
            address: place.address(),
            size: entry.size,
        })
        .collect()
}

fn range(start: u64, size: u64) -> VirtualRange {
    VirtualRange {
        start,
        end: start.saturating_add(size),
    }
}
