//! Fixed-size little-endian records and checked views of tables of them.

use alloc::vec::Vec;
use core::marker::PhantomData;

/// A value with a fixed-size little-endian encoding.
pub trait Record: Sized {
    /// Length of the encoding in bytes.
    const SIZE: usize;

    /// Decodes the value from the first [`Record::SIZE`] bytes; `None` when there are fewer.
    fn decode(bytes: &[u8]) -> Option<Self>;

    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

macro_rules! integer_record {
    ($($integer:ty),*) => {$(
        impl Record for $integer {
            const SIZE: usize = size_of::<$integer>();

            fn decode(bytes: &[u8]) -> Option<Self> {
                Some(<$integer>::from_le_bytes(*bytes.first_chunk()?))
            }

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

integer_record!(u16, u32, u64, u128);

/// Defines structures and their [`Record`] encoding, field after field, without padding.
macro_rules! records {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::format::Record for $name {
            const SIZE: usize = 0 $(+ <$ty as $crate::format::Record>::SIZE)*;

            fn decode(bytes: &[u8]) -> Option<Self> {
                let rest = bytes.get(..Self::SIZE)?;
                $(
                    let $field = <$ty as $crate::format::Record>::decode(rest)?;
                    let rest = rest.get(<$ty as $crate::format::Record>::SIZE..)?;
                )*
                let _ = rest;
                Some(Self { $($field,)* })
            }

            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::format::Record::encode(&self.$field, out);)*
            }
        }
    )*};
}

pub(crate) use records;

records! {
    /// A span of a table or of a string pool: where it starts and how long it is.
    ///
    /// For a table, `offset` is in bytes from the start of the format and `count` in records; for a
    /// string, both are in bytes and `offset` counts from the start of the string pool.
    pub struct Span {
        /// Where it starts.
        pub offset: u32,
        /// How many records or bytes it has.
        pub count: u32,
    }
}

impl Span {
    /// Nothing.
    pub const EMPTY: Self = Self {
        offset: 0,
        count: 0,
    };
}

/// A checked view of a table of records.
pub struct Records<'a, R> {
    bytes: &'a [u8],
    record: PhantomData<R>,
}

impl<R> Clone for Records<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Records<'_, R> {}

impl<'a, R: Record> Records<'a, R> {
    /// The table that `span` names inside `bytes`; `None` when it does not lie inside.
    pub fn new(bytes: &'a [u8], span: Span) -> Option<Self> {
        let start = usize::try_from(span.offset).ok()?;
        let length = usize::try_from(span.count).ok()?.checked_mul(R::SIZE)?;
        let bytes = bytes.get(start..start.checked_add(length)?)?;
        Some(Self {
            bytes,
            record: PhantomData,
        })
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / R::SIZE
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The record at `index`, or `None` beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<R> {
        R::decode(self.bytes.get(index.checked_mul(R::SIZE)?..)?)
    }

    /// The field of record `index` that lies `offset` bytes into its encoding, or `None` beyond the end.
    #[inline]
    pub(crate) fn field<F: Record>(&self, index: usize, offset: usize) -> Option<F> {
        F::decode(
            self.bytes
                .get(index.checked_mul(R::SIZE)?..)?
                .get(offset..)?,
        )
    }

    /// The records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = R> + 'a {
        let bytes = self.bytes;
        (0..bytes.len() / R::SIZE).map(move |index| {
            let record = bytes.get(index * R::SIZE..).and_then(R::decode);
            #[expect(clippy::expect_used, reason = "the range above has only whole records")]
            record.expect("whole record")
        })
    }

    /// Binary search in a table that is sorted by `key`; any record with the wanted key.
    pub fn find_by_key<K: Ord>(&self, wanted: K, key: impl Fn(&R) -> K) -> Option<R> {
        self.get(self.position_by_key(wanted, key)?)
    }

    /// Like [`Records::find_by_key`]; the record's index.
    pub fn position_by_key<K: Ord>(&self, wanted: K, key: impl Fn(&R) -> K) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match key(&self.get(middle)?).cmp(&wanted) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

/// A checked view of a pool of strings.
#[derive(Clone, Copy)]
pub struct Strings<'a> {
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// The pool that `span` (in bytes) names inside `bytes`; `None` when it does not lie inside.
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Option<Self> {
        let start = usize::try_from(span.offset).ok()?;
        let end = start.checked_add(usize::try_from(span.count).ok()?)?;
        Some(Self {
            bytes: bytes.get(start..end)?,
        })
    }

    /// The string at `span`; `None` when it lies outside the pool or is not UTF-8.
    #[must_use]
    pub fn get(&self, span: Span) -> Option<&'a str> {
        core::str::from_utf8(self.bytes(span)?).ok()
    }

    /// The bytes of the string at `span`, which compare as the string does, without a look at whether
    /// they are UTF-8; `None` when they lie outside the pool.
    #[must_use]
    pub fn bytes(&self, span: Span) -> Option<&'a [u8]> {
        let start = usize::try_from(span.offset).ok()?;
        let end = start.checked_add(usize::try_from(span.count).ok()?)?;
        self.bytes.get(start..end)
    }
}
