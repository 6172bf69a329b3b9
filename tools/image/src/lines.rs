//! Writes line tables, and the side archive that holds them (see [`linker::format::lines`]).

use crate::{
    error::{Error, Result},
    line_source::Source,
    pool::{Pool, Tables, count},
};
use linker::format::{
    Record as _, Span, index_checksum,
    lines::{
        FOOTER_MAGIC, Footer, Group, Header, MAGIC, Member, NODES_PER_GROUP, STRETCHES_PER_GROUP,
        SideArchive, Table, VERSION, put_change, put_number,
    },
};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// The id under which a table lies in a side archive of its own, in the cache: the object's exact id
/// depends on the build around it.
const NO_ID: u128 = 0;

/// Where the header keeps its checksum.
const CHECKSUM: core::ops::Range<usize> = 16..24;

/// The side archive that holds what `source` says, for [`collect`].
#[must_use]
pub fn write(source: &Source) -> Vec<u8> {
    let files = source.files.iter().map(String::as_str).collect();
    side_archive(vec![(NO_ID, table(source))], files)
}

/// The side archive with the tables of `members`: each one's exact id, and what [`write()`] made of it.
///
/// # Errors
///
/// When one was not made so.
pub fn collect<'a>(members: impl Iterator<Item = (u128, &'a [u8])>) -> Result<Vec<u8>> {
    let mut files: Vec<&str> = Vec::new();
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut tables = Vec::new();
    for (exact_id, bytes) in members {
        let wrong =
            |error: &dyn std::fmt::Display| Error::object(&format!("{exact_id:032x}"), error);
        let archive = SideArchive::parse(bytes).map_err(|error| wrong(&error))?;
        let table = archive.table(NO_ID).map_err(|error| wrong(&error))?;
        let table = table.ok_or_else(|| wrong(&"has no line table"))?;
        let mut contents = table.bytes().to_vec();
        let mut place = Table::decode(&contents).map_or(0, |table| table.files.offset as usize);
        for name in table.file_names() {
            let index = *known.entry(name).or_insert_with(|| {
                files.push(name);
                count(files.len() - 1)
            });
            if let Some(entry) = contents.get_mut(place..place + 4) {
                entry.copy_from_slice(&index.to_le_bytes());
            }
            place += 4;
        }
        tables.push((exact_id, contents));
    }
    tables.sort_by_key(|(exact_id, _)| *exact_id);
    // Two alternates may be one object.
    tables.dedup_by_key(|(exact_id, _)| *exact_id);
    Ok(side_archive(tables, files))
}

/// Puts a side archive behind an object.
pub fn append(object: &mut Vec<u8>, lines: &[u8]) {
    object.extend_from_slice(lines);
    let footer = Footer {
        length: lines.len() as u64,
        magic: FOOTER_MAGIC,
    };
    footer.encode(object);
}

/// A side archive of `tables`, which are sorted by exact id.
fn side_archive(tables: Vec<(u128, Vec<u8>)>, files: Vec<&str>) -> Vec<u8> {
    let mut pool = Pool::default();
    let files: Vec<Span> = files.into_iter().map(|name| pool.add(name)).collect();
    let member = |(exact_id, table): &(u128, Vec<u8>)| Member {
        exact_id: *exact_id,
        offset: 0,
        length: count(table.len()),
        checksum: xxh3_64(table),
    };
    let mut members: Vec<Member> = tables.iter().map(member).collect();
    // What the index takes does not depend on what its records say.
    let index = Header::SIZE + members.len() * Member::SIZE + files.len() * Span::SIZE + pool.len();
    let mut end = index;
    for member in &mut members {
        member.offset = count(end);
        end += member.length as usize;
    }
    let mut index = Tables::behind(Header::SIZE);
    let mut header = Header {
        magic: MAGIC,
        version: VERSION,
        index_length: 0,
        checksum: 0,
        length: end as u64,
        members: index.add(&members),
        files: index.add(&files),
        strings: index.add_pool(pool),
    };
    header.index_length = count(index.length());
    let mut bytes = index.finish(&header);
    let checksum = index_checksum(&bytes).unwrap_or(0);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    for (_, table) in tables {
        bytes.extend_from_slice(&table);
    }
    bytes
}

/// The line table of `source`; the files are numbered as there.
fn table(source: &Source) -> Vec<u8> {
    let files: Vec<u32> = (0..count(source.files.len())).collect();
    let node_groups = source.nodes.chunks(NODES_PER_GROUP);
    let groups = source.stretches.chunks(STRETCHES_PER_GROUP);
    let start = Table::SIZE + 4 * files.len() + Group::SIZE * groups.len() + 4 * node_groups.len();
    let mut body = Vec::new();
    let (mut node_positions, mut group_records) = (Vec::new(), Vec::new());
    let mut number = 1;
    for group in node_groups {
        node_positions.push(count(start + body.len()));
        let (mut file, mut line) = (0, 0);
        for node in group {
            let distance = if node.parent == 0 {
                0
            } else {
                number - node.parent
            };
            put_number(&mut body, distance);
            put_change(&mut body, file, node.file);
            put_change(&mut body, line, node.line);
            (file, line, number) = (node.file, node.line, number + 1);
        }
    }
    // Behind the nodes, so that the end of the last group is the end of the table.
    for group in groups {
        let (mut begin, mut last) = (group.first().map_or(0, |(start, _)| *start), 0);
        group_records.push(Group {
            text_offset: begin,
            position: count(start + body.len()),
        });
        for &(start, node) in group {
            put_number(&mut body, start - begin);
            put_change(&mut body, last, node);
            (begin, last) = (start, node);
        }
    }
    let mut tables = Tables::behind(Table::SIZE);
    let header = Table {
        files: tables.add(&files),
        groups: tables.add(&group_records),
        node_groups: tables.add(&node_positions),
        text_length: source.text_length,
    };
    let mut bytes = tables.finish(&header);
    bytes.extend_from_slice(&body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compiled::{merged_prebuilt, merged_sample},
        line_source::{Node, plain_rows},
    };

    const ID: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

    fn archive_of(source: &Source) -> Vec<u8> {
        collect(std::iter::once((ID, write(source).as_slice()))).unwrap()
    }

    /// Every offset of the text has in the encoded table what `source` says of it.
    fn agrees(source: &Source) {
        let bytes = archive_of(source);
        let table = SideArchive::parse(&bytes)
            .unwrap()
            .table(ID)
            .unwrap()
            .unwrap();
        for offset in 0..source.text_length + 8 {
            let found: Vec<(&str, u32)> = table
                .at(offset)
                .map(|line| (line.file, line.line))
                .collect();
            let wanted = match offset < source.text_length {
                true => source.at(offset),
                false => Vec::new(),
            };
            assert_eq!(found, wanted, "at {offset:#x}");
        }
    }

    /// Every byte of a row of the line programs has in the encoded table the row's line as its innermost.
    fn has_every_row(name: &str, object: &[u8]) -> usize {
        let bytes = archive_of(&Source::read(name, object).unwrap());
        let table = SideArchive::parse(&bytes)
            .unwrap()
            .table(ID)
            .unwrap()
            .unwrap();
        let rows = plain_rows(name, object).unwrap();
        for row in &rows {
            for offset in row.text.clone() {
                let line = table.at(u32::try_from(offset).unwrap()).next();
                let found = line.map(|line| (line.file.to_owned(), line.line));
                assert_eq!(
                    found,
                    Some((row.file.clone(), row.line)),
                    "{name} at {offset:#x}"
                );
            }
        }
        rows.len()
    }

    const SAMPLE: &str = "#![no_std]
        #[inline(always)] fn inner(x: &[u32], i: usize) -> u32 {
            x[i]
        }
        #[inline(never)] pub fn outer(x: &[u32], i: usize) -> u32 {
            let sum = inner(x, i);
            sum.wrapping_mul(inner(x, i + 1))
        }
    ";

    #[test]
    fn every_row_of_the_line_programs_is_in_the_table() {
        assert!(has_every_row("sample", &merged_sample(SAMPLE)) > 4);
        assert!(has_every_row("core", &merged_prebuilt("core")) > 10_000);
    }

    #[test]
    fn every_offset_of_an_object_survives_the_encoding() {
        agrees(&Source::read("sample", &merged_sample(SAMPLE)).unwrap());
        agrees(&Source::read("alloc", &merged_prebuilt("alloc")).unwrap());
    }

    #[test]
    fn what_was_inlined_names_its_caller() {
        let source = Source::read("sample", &merged_sample(SAMPLE)).unwrap();
        let chain = [("sample.rs", 3), ("sample.rs", 6)];
        let ends_with = |(file, line): (&str, u32), (wanted, at): (&str, u32)| {
            file.ends_with(wanted) && line == at
        };
        let found = (0..source.text_length).any(|offset| {
            let lines = source.at(offset);
            lines.len() == 2
                && lines
                    .iter()
                    .zip(chain)
                    .all(|(line, it)| ends_with(*line, it))
        });
        assert!(found, "{source:?}");
    }

    /// Numbers that look random and are the same each time (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: u32) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            u32::try_from(self.0 % u64::from(limit)).unwrap()
        }
    }

    fn random(seed: u64) -> Source {
        let mut numbers = Numbers(seed);
        let mut source = Source {
            text_length: 1 + numbers.below(3000),
            ..Source::default()
        };
        source.files = (0..=numbers.below(300))
            .map(|it| format!("{it}.rs"))
            .collect();
        let lines = *[10, 70_000, u32::MAX / 2]
            .get(numbers.below(3) as usize)
            .unwrap();
        for index in 0..numbers.below(200) {
            let node = Node {
                parent: numbers.below(index + 1),
                file: numbers.below(count(source.files.len())),
                line: numbers.below(lines),
            };
            source.nodes.push(node);
        }
        let mut start = numbers.below(5);
        while start < source.text_length {
            let node = numbers.below(count(source.nodes.len()) + 1);
            source.stretches.push((start, node));
            start += 1 + numbers.below(1 + 400 / (1 + count(source.nodes.len())));
        }
        source
    }

    #[test]
    fn any_source_survives_the_encoding() {
        for seed in 1..400 {
            agrees(&random(seed));
        }
        agrees(&Source::default());
    }

    #[test]
    fn tables_are_found_by_their_id_and_share_files() {
        let sources: Vec<Vec<u8>> = (1..6).map(|seed| write(&random(seed))).collect();
        let members = sources.iter().enumerate();
        let members = members.map(|(index, bytes)| (7 - index as u128, bytes.as_slice()));
        let bytes = collect(members).unwrap();
        let archive = SideArchive::parse(&bytes).unwrap();
        assert!(archive.table(2).unwrap().is_none() && archive.table(8).unwrap().is_none());
        for (index, seed) in (1..6).enumerate() {
            let table = archive.table(7 - index as u128).unwrap().unwrap();
            let source = random(seed);
            for offset in 0..source.text_length {
                let lines = table.at(offset).map(|line| (line.file, line.line));
                assert_eq!(lines.collect::<Vec<_>>(), source.at(offset));
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let right = archive_of(&random(3));
        let intact = |bytes: &[u8]| {
            SideArchive::parse(bytes)
                .is_ok_and(|archive| archive.table(ID).is_ok_and(|it| it.is_some()))
        };
        assert!(intact(&right));
        for bit in 0..right.len() * 8 {
            let mut bytes = right.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!intact(&bytes), "bit {bit}");
        }
        for length in 0..right.len() {
            assert!(!intact(&right[..length]), "cut at {length}");
        }
    }

    #[test]
    fn an_object_and_the_tables_behind_it_come_apart() {
        let mut bytes = b"object".to_vec();
        assert_eq!(
            linker::format::lines::split(&bytes),
            (&b"object"[..], &b""[..])
        );
        let lines = archive_of(&random(1));
        append(&mut bytes, &lines);
        assert_eq!(
            linker::format::lines::split(&bytes),
            (&b"object"[..], lines.as_slice())
        );
    }
}
