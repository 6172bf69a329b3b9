//! Writes the archive: all members, and the index that says which of them is needed when.

use crate::{
    error::{Result, Violation},
    files, lines,
    manifest::Manifest,
    members::Members,
    pool::{Pool, Tables, count},
    toolchain::truncate,
};
use linker::format::{
    Record as _, Span,
    archive::{ALIGNMENT, Command, Definition, Header, MAGIC, Member, NO_STAGE, Stage, VERSION},
    index_checksum,
};
use xxhash_rust::xxh3::xxh3_64;

/// The crate and the function where the nucleus goes when all is linked.
const ENTRY: (&str, &str) = ("init", "init::enter");

/// Where the header keeps its checksum.
const CHECKSUM: core::ops::Range<usize> = 16..24;

/// An archive.
pub(crate) struct Archive {
    /// The file: the archive, and behind it the line tables.
    pub bytes: Vec<u8>,
    /// Length of the latter in bytes.
    pub lines_length: usize,
    /// Hash of all members' exact ids.
    pub build_id: u128,
    /// What the manifest asks for and the members do not have.
    pub violations: Vec<Violation>,
}

/// Writes the archive of `members` as `manifest` wants it.
///
/// # Errors
///
/// When an object cannot be read.
pub(crate) fn write(members: &Members, manifest: &Manifest, toolchain: u128) -> Result<Archive> {
    let mut writer = Writer {
        members,
        pool: Pool::default(),
        violations: Vec::new(),
    };
    let (stages, start_order) = writer.stages(manifest);
    let commands = writer.commands(manifest);
    let (entry, session) = (writer.entry(), writer.session(manifest));
    let (records, dependencies, bodies) = writer.members(&stages, &start_order)?;
    let definitions: Vec<Definition> = members
        .definitions
        .iter()
        .map(|(&key, (member, export))| Definition {
            key,
            member: count(*member),
            symbol: export.index,
        })
        .collect();
    let mut build = blake3::Hasher::new();
    for record in &records {
        build.update(&record.exact_id.to_le_bytes());
    }
    let build_id = truncate(&build);

    let mut tables = Tables::behind(Header::SIZE);
    let mut header = Header {
        magic: MAGIC,
        version: VERSION,
        index_length: 0,
        checksum: 0,
        length: 0,
        build_id,
        toolchain,
        members: tables.add(&records),
        definitions: tables.add(&definitions),
        dependencies: tables.add(&dependencies),
        stages: tables.add(&stages),
        start_order: tables.add(&start_order),
        commands: tables.add(&commands),
        strings: Span::EMPTY,
        entry,
        session,
    };
    let violations = writer.violations;
    header.strings = tables.add_pool(writer.pool);
    header.index_length = count(tables.length());
    // Members are placed relative to the end of the index, which is known only now.
    let base = tables.length().next_multiple_of(ALIGNMENT);
    header.length = (base + bodies.len()) as u64;
    let mut bytes = tables.finish(&header);
    move_members(&mut bytes, header.members, base as u64);
    let checksum = index_checksum(&bytes).unwrap_or(0);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    bytes.resize(base, 0);
    bytes.extend_from_slice(&bodies);
    let lines = line_tables(members)?;
    bytes.extend_from_slice(&lines);
    Ok(Archive {
        bytes,
        lines_length: lines.len(),
        build_id,
        violations,
    })
}

/// The side archive with the line tables of all members.
fn line_tables(members: &Members) -> Result<Vec<u8>> {
    let mut tables = Vec::new();
    for member in &members.list {
        let exact_id = member.cached.summary.ids.ids().exact;
        tables.push((exact_id, files::read(&member.cached.lines)?));
    }
    lines::collect(tables.iter().map(|(id, table)| (*id, table.as_slice())))
}

/// Adds `base` to the offset of each member record in the encoded index.
fn move_members(index: &mut [u8], members: Span, base: u64) {
    let start = members.offset as usize;
    for record in index[start..]
        .chunks_exact_mut(Member::SIZE)
        .take(members.count as usize)
    {
        if let Some(mut member) = Member::decode(record) {
            member.offset += base;
            let mut moved = Vec::with_capacity(Member::SIZE);
            member.encode(&mut moved);
            record.copy_from_slice(&moved);
        }
    }
}

struct Writer<'a> {
    members: &'a Members,
    pool: Pool,
    violations: Vec<Violation>,
}

impl Writer<'_> {
    fn violation(&mut self, component: &str, message: String) {
        self.violations.push(Violation {
            component: component.to_owned(),
            message,
        });
    }

    /// The member with this name. That the manifest names no other crate is checked elsewhere.
    fn find(&self, name: &str) -> Option<u32> {
        self.members.find(name).map(count)
    }

    fn stages(&mut self, manifest: &Manifest) -> (Vec<Stage>, Vec<u32>) {
        let mut start_order = Vec::new();
        let mut stages = Vec::new();
        for stage in &manifest.stages {
            let offset = count(start_order.len());
            start_order.extend(stage.start.iter().filter_map(|name| self.find(name)));
            let components = Span {
                offset,
                count: count(start_order.len()) - offset,
            };
            stages.push(Stage {
                name: self.pool.add(&stage.name),
                components,
                optional: stage.optional.into(),
            });
        }
        (stages, start_order)
    }

    fn commands(&mut self, manifest: &Manifest) -> Vec<Command> {
        let mut commands = Vec::new();
        for (name, command) in &manifest.commands {
            if let Some(member) = self.find(&command.application) {
                let (name, summary) = (self.pool.add(name), self.pool.add(&command.summary));
                commands.push(Command {
                    name,
                    summary,
                    member,
                });
            }
        }
        commands
    }

    fn session(&mut self, manifest: &Manifest) -> u32 {
        let session = manifest.session.as_ref();
        session
            .and_then(|session| self.find(&session.application))
            .unwrap_or(NO_STAGE)
    }

    fn entry(&mut self) -> Definition {
        let (name, function) = ENTRY;
        let member = self.members.find(name);
        let exports = member.map(|index| &self.members.list[index].cached.summary.exports);
        let export = exports.and_then(|exports| {
            exports
                .iter()
                .find(|export| digests::display_name(&export.symbol) == function)
        });
        if let Some((member, export)) = member.zip(export) {
            return Definition {
                key: export.key,
                member: count(member),
                symbol: export.index,
            };
        }
        self.violation(name, format!("defines no function {function}"));
        Definition {
            key: 0,
            member: NO_STAGE,
            symbol: 0,
        }
    }

    /// The members' records, with offsets from the first, their dependencies and their bytes.
    fn members(
        &mut self,
        stages: &[Stage],
        start_order: &[u32],
    ) -> Result<(Vec<Member>, Vec<u32>, Vec<u8>)> {
        let (mut records, mut dependencies, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for (index, member) in self.members.list.iter().enumerate() {
            let object = files::read(&member.cached.object)?;
            let summary = &member.cached.summary;
            let ids = summary.ids.ids();
            let own = &self.members.dependencies[index];
            let span = Span {
                offset: count(dependencies.len()),
                count: count(own.len()),
            };
            dependencies.extend(own.iter().map(|&index| count(index)));
            bodies.resize(bodies.len().next_multiple_of(ALIGNMENT), 0);
            let started = member.unit.variant.is_empty();
            records.push(Member {
                name: self.pool.add(&member.unit.name),
                version: self.pool.add(&member.unit.version),
                variant: self.pool.add(&member.unit.variant),
                offset: bodies.len() as u64,
                length: object.len() as u64,
                checksum: xxh3_64(&object),
                exact_id: ids.exact,
                content_id: ids.content,
                flags: summary.flags,
                stage: if started {
                    stage_of(stages, start_order, count(index))
                } else {
                    NO_STAGE
                },
                dependencies: span,
            });
            bodies.extend_from_slice(&object);
        }
        Ok((records, dependencies, bodies))
    }
}

fn stage_of(stages: &[Stage], start_order: &[u32], member: u32) -> u32 {
    let position = start_order
        .iter()
        .position(|&started| started == member)
        .map(count);
    let stage = position.and_then(|position| {
        stages.iter().position(|stage| {
            (stage.components.offset..stage.components.offset + stage.components.count)
                .contains(&position)
        })
    });
    stage.map_or(NO_STAGE, count)
}
