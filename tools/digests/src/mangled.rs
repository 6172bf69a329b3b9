//! What a mangled symbol (v0) says beside what the demangler prints.

/// What a v0 symbol says and the demangler does not print.
pub(crate) struct Details<'s> {
    /// Ordinals of named items of one path, in the order in which they stand, without zeros.
    pub(crate) ordinals: Vec<u64>,
    /// The crate that instantiated the item, as mangled.
    pub(crate) instantiated_in: Option<&'s str>,
}

impl<'s> Details<'s> {
    pub(crate) fn scan(symbol: &'s str) -> Option<Self> {
        let body = symbol.strip_prefix("_R")?;
        let mut scanner = Scanner {
            body,
            position: 0,
            ordinals: Vec::new(),
            inside_impl: 0,
            depth: 0,
        };
        scanner.path()?;
        let start = scanner.position;
        let instantiated_in = if scanner.peek().is_some_and(|byte| byte.is_ascii_uppercase()) {
            scanner.path()?;
            scanner.crate_text(start)
        } else {
            None
        };
        Some(Self {
            ordinals: scanner.ordinals,
            instantiated_in,
        })
    }
}

/// A parser of v0 symbols that prints nothing (RFC 2603 and rustc's book, "v0 symbol format").
struct Scanner<'s> {
    /// The symbol without `_R`: what back references count from.
    body: &'s str,
    position: usize,
    ordinals: Vec<u64>,
    inside_impl: u32,
    depth: u32,
}

/// No compiler nests deeper; a hostile symbol must not use up the stack.
const MAX_DEPTH: u32 = 500;

impl<'s> Scanner<'s> {
    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.position).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    /// Repeats `part` up to the closing `E`.
    fn until_end(&mut self, part: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        while !self.eat(b'E') {
            part(self)?;
        }
        Some(())
    }

    /// Runs `part` one level deeper.
    fn nested(&mut self, part: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        part(self)?;
        self.depth -= 1;
        Some(())
    }

    fn path(&mut self) -> Option<()> {
        self.nested(|scanner| match scanner.next()? {
            b'C' => scanner.identifier().map(drop),
            b'M' => {
                scanner.impl_path()?;
                scanner.type_()
            }
            b'X' => {
                scanner.impl_path()?;
                scanner.type_()?;
                scanner.path()
            }
            b'Y' => {
                scanner.type_()?;
                scanner.path()
            }
            b'N' => {
                let namespace = scanner.next()?;
                scanner.path()?;
                let ordinal = scanner.identifier()?;
                // The demangler prints the ordinals of closures and shims.
                if ordinal != 0 && namespace.is_ascii_lowercase() && scanner.inside_impl == 0 {
                    scanner.ordinals.push(ordinal);
                }
                Some(())
            }
            b'I' => {
                scanner.path()?;
                scanner.until_end(Self::generic_argument)
            }
            b'B' => scanner.base_62().map(drop),
            _ => None,
        })
    }

    /// The block's ordinal and the module it stands in: neither is part of the key.
    fn impl_path(&mut self) -> Option<()> {
        self.disambiguator()?;
        self.inside_impl += 1;
        self.path()?;
        self.inside_impl -= 1;
        Some(())
    }

    fn generic_argument(&mut self) -> Option<()> {
        if self.eat(b'L') {
            return self.base_62().map(drop);
        }
        if self.eat(b'K') {
            self.constant()
        } else {
            self.type_()
        }
    }

    fn type_(&mut self) -> Option<()> {
        self.nested(|scanner| match scanner.peek()? {
            b'a'..=b'z' => scanner.next().map(drop),
            b'A' => {
                scanner.next()?;
                scanner.type_()?;
                scanner.constant()
            }
            b'S' | b'P' | b'O' => {
                scanner.next()?;
                scanner.type_()
            }
            b'R' | b'Q' => {
                scanner.next()?;
                if scanner.eat(b'L') {
                    scanner.base_62()?;
                }
                scanner.type_()
            }
            b'T' => {
                scanner.next()?;
                scanner.until_end(Self::type_)
            }
            b'F' => {
                scanner.next()?;
                scanner.function()
            }
            b'D' => {
                scanner.next()?;
                scanner.trait_object()
            }
            _ => scanner.path(),
        })
    }

    fn function(&mut self) -> Option<()> {
        self.binder()?;
        self.eat(b'U');
        if self.eat(b'K') && !self.eat(b'C') {
            self.text()?;
        }
        self.until_end(Self::type_)?;
        self.type_()
    }

    fn trait_object(&mut self) -> Option<()> {
        self.binder()?;
        self.until_end(|scanner| {
            scanner.path()?;
            while scanner.eat(b'p') {
                scanner.text()?;
                scanner.type_()?;
            }
            Some(())
        })?;
        if self.eat(b'L') {
            self.base_62().map(drop)
        } else {
            None
        }
    }

    fn binder(&mut self) -> Option<()> {
        if self.eat(b'G') {
            self.base_62().map(drop)
        } else {
            Some(())
        }
    }

    fn constant(&mut self) -> Option<()> {
        self.nested(|scanner| match scanner.next()? {
            b'p' => Some(()),
            b'B' => scanner.base_62().map(drop),
            b'R' | b'Q' => scanner.constant(),
            b'A' | b'T' => scanner.until_end(Self::constant),
            b'V' => scanner.variant(),
            _ => scanner.number(),
        })
    }

    /// A value of an enumeration or structure.
    fn variant(&mut self) -> Option<()> {
        self.path()?;
        match self.next()? {
            b'U' => Some(()),
            b'T' => self.until_end(Self::constant),
            b'S' => self.until_end(|scanner| {
                scanner.identifier()?;
                scanner.constant()
            }),
            _ => None,
        }
    }

    /// Hexadecimal digits up to `_`, with a sign.
    fn number(&mut self) -> Option<()> {
        self.eat(b'n');
        while self.next()? != b'_' {}
        Some(())
    }

    /// An identifier; returns its ordinal.
    fn identifier(&mut self) -> Option<u64> {
        let ordinal = self.disambiguator()?;
        self.text()?;
        Some(ordinal)
    }

    fn disambiguator(&mut self) -> Option<u64> {
        if self.eat(b's') {
            self.base_62()?.checked_add(1)
        } else {
            Some(0)
        }
    }

    /// A length and as many bytes.
    fn text(&mut self) -> Option<()> {
        self.eat(b'u');
        let mut length = 0_usize;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            length = length
                .checked_mul(10)?
                .checked_add(usize::from(digit - b'0'))?;
            self.position += 1;
            if length == 0 {
                break;
            }
        }
        self.eat(b'_');
        self.position = self.position.checked_add(length)?;
        (self.position <= self.body.len()).then_some(())
    }

    fn base_62(&mut self) -> Option<u64> {
        if self.eat(b'_') {
            return Some(0);
        }
        let mut value = 0_u64;
        loop {
            let digit = match self.next()? {
                b'_' => return value.checked_add(1),
                digit @ b'0'..=b'9' => digit - b'0',
                digit @ b'a'..=b'z' => digit - b'a' + 10,
                digit @ b'A'..=b'Z' => digit - b'A' + 36,
                _ => return None,
            };
            value = value.checked_mul(62)?.checked_add(u64::from(digit))?;
        }
    }

    /// The text of the crate at `start`, which may be a back reference to it.
    fn crate_text(&mut self, start: usize) -> Option<&'s str> {
        self.position = start;
        if self.eat(b'B') {
            self.position = usize::try_from(self.base_62()?).ok()?;
        }
        let start = self.position;
        self.path()?;
        self.body.get(start..self.position)
    }
}
