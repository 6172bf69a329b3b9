//! A bitmap over frames: one bit a frame, 1 while it is taken.

/// Bits in a word.
const BITS: usize = 64;

/// How far the hint goes back for frames that are freed: what has just been used is in caches, and of a
/// virtual machine's memory only what was used is there.
const NEAR: usize = 16 * BITS;

/// Which frames are taken. Frames are numbered from 0; those beyond the words are taken.
pub(crate) struct Bitmap<'a> {
    words: &'a mut [u64],
    /// Where the last search ended, so that the next one does not start over.
    hint: usize,
}

impl<'a> Bitmap<'a> {
    /// How many words cover `frames` frames.
    pub(crate) const fn words_for(frames: usize) -> usize {
        frames.div_ceil(BITS)
    }

    /// A bitmap in `words`, with every frame taken.
    pub(crate) fn new(words: &'a mut [u64]) -> Self {
        words.fill(u64::MAX);
        Self { words, hint: 0 }
    }

    /// Moves the bitmap to other words, which already have the contents of the old ones.
    pub(crate) fn move_to(&mut self, words: &'a mut [u64]) {
        self.words = words;
    }

    pub(crate) fn len_words(&self) -> usize {
        self.words.len()
    }

    #[cfg(test)]
    pub(crate) fn is_taken(&self, frame: usize) -> bool {
        self.words
            .get(frame / BITS)
            .is_none_or(|word| word >> (frame % BITS) & 1 == 1)
    }

    /// Marks `count` frames from `first` on. Answers how many were not marked so before.
    pub(crate) fn mark(&mut self, first: usize, count: usize, taken: bool) -> usize {
        let end = first.saturating_add(count).min(self.words.len() * BITS);
        let mut changed = 0;
        let mut frame = first;
        while frame < end {
            let offset = frame % BITS;
            let bits = (BITS - offset).min(end - frame);
            let mask = (u64::MAX >> (BITS - bits)) << offset;
            if let Some(word) = self.words.get_mut(frame / BITS) {
                let before = *word;
                *word = if taken { before | mask } else { before & !mask };
                changed += match before ^ *word {
                    // The usual case; counting ones costs more.
                    all if all == mask => bits,
                    some => some.count_ones() as usize,
                };
            }
            frame += bits;
        }
        changed
    }

    /// Marks `count` frames from `first` on as free. Answers how many were not so before.
    pub(crate) fn free(&mut self, first: usize, count: usize) -> usize {
        if self
            .hint
            .checked_sub(first)
            .is_some_and(|back| back <= NEAR)
        {
            self.hint = first;
        }
        self.mark(first, count, false)
    }

    /// Takes `count` free frames in a row, the first a multiple of `alignment`.
    pub(crate) fn take(&mut self, count: usize, alignment: usize) -> Option<usize> {
        if alignment == 1 && self.take_at_hint(count) {
            return Some(self.hint - count);
        }
        let end = self.words.len() * BITS;
        let first = self
            .find(self.hint, end, count, alignment)
            .or_else(|| self.find(0, end, count, alignment))?;
        self.mark(first, count, true);
        self.hint = first + count;
        Some(first)
    }

    /// Takes the frames where the last search ended, if they are free and lie in one word; advances
    /// the hint then. The usual case for a few frames.
    fn take_at_hint(&mut self, count: usize) -> bool {
        let offset = self.hint % BITS;
        if count == 0 || count > BITS - offset {
            return false;
        }
        let mask = (u64::MAX >> (BITS - count)) << offset;
        match self.words.get_mut(self.hint / BITS) {
            Some(word) if *word & mask == 0 => {
                *word |= mask;
                self.hint += count;
                true
            }
            _ => false,
        }
    }

    fn find(&self, from: usize, end: usize, count: usize, alignment: usize) -> Option<usize> {
        let mut candidate = from.next_multiple_of(alignment);
        while candidate.checked_add(count)? <= end {
            match self.last_taken(candidate, count) {
                None => return Some(candidate),
                Some(taken) => {
                    candidate = self.next_free(taken + 1, end)?.next_multiple_of(alignment)
                }
            }
        }
        None
    }

    /// The last taken frame among `count` from `first` on.
    fn last_taken(&self, first: usize, count: usize) -> Option<usize> {
        let mut end = first + count;
        while end > first {
            let word_start = (end - 1) / BITS * BITS;
            let start = word_start.max(first);
            let mask = (u64::MAX >> (BITS - (end - start))) << (start - word_start);
            let word = self.words.get(word_start / BITS).unwrap_or(&u64::MAX);
            if let Some(bit) = (word & mask).checked_ilog2() {
                return Some(word_start + bit as usize);
            }
            end = start;
        }
        None
    }

    /// The first free frame from `frame` on.
    fn next_free(&self, mut frame: usize, end: usize) -> Option<usize> {
        while frame < end {
            let word = self.words.get(frame / BITS)? >> (frame % BITS);
            // The bits shifted in look free, but they belong to the next word.
            let here = BITS - frame % BITS;
            let ones = word.trailing_ones() as usize;
            if ones < here {
                return Some(frame + ones).filter(|free| *free < end);
            }
            frame += here;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_bitmap_has_nothing_free() {
        let mut words = [0; 2];
        assert_eq!(Bitmap::new(&mut words).take(1, 1), None);
    }

    #[test]
    fn marks_across_words_and_counts_changes() {
        let mut words = [0; 4];
        let mut bitmap = Bitmap::new(&mut words);
        assert_eq!(bitmap.mark(60, 100, false), 100);
        assert_eq!(bitmap.mark(50, 20, false), 10);
        assert!(bitmap.is_taken(49));
        assert!(!bitmap.is_taken(50));
        assert!(!bitmap.is_taken(159));
        assert!(bitmap.is_taken(160));
        assert!(bitmap.is_taken(10_000));
    }

    #[test]
    fn finds_aligned_runs_and_skips_holes() {
        let mut words = [0; 4];
        let mut bitmap = Bitmap::new(&mut words);
        bitmap.mark(3, 5, false);
        bitmap.mark(70, 40, false);
        assert_eq!(bitmap.take(4, 1), Some(3));
        assert_eq!(bitmap.take(16, 16), Some(80));
        assert_eq!(bitmap.take(16, 1), None);
        assert_eq!(bitmap.take(14, 1), Some(96));
        assert_eq!(bitmap.take(10, 1), Some(70));
        assert_eq!(bitmap.take(1, 1), Some(7));
        assert_eq!(bitmap.take(1, 1), None);
    }

    #[test]
    fn freed_frames_are_found_again() {
        let mut words = [0; 1];
        let mut bitmap = Bitmap::new(&mut words);
        bitmap.mark(0, 64, false);
        for expected in 0..64 {
            assert_eq!(bitmap.take(1, 1), Some(expected));
        }
        bitmap.mark(5, 1, false);
        assert_eq!(bitmap.take(1, 1), Some(5));
        assert_eq!(bitmap.take(1, 1), None);
    }

    #[test]
    fn what_was_freed_last_is_taken_first_when_near() {
        let mut words = [0; 64];
        let mut bitmap = Bitmap::new(&mut words);
        bitmap.mark(0, 64 * 64, false);
        assert_eq!(bitmap.take(300, 1), Some(0));
        assert_eq!(bitmap.free(0, 300), 300);
        assert_eq!(bitmap.take(300, 1), Some(0));
        assert_eq!(bitmap.take(2000, 1), Some(300));
        assert_eq!(bitmap.free(0, 300), 300);
        assert_eq!(bitmap.take(1, 1), Some(2300));
    }

    #[test]
    fn absurd_requests_find_nothing() {
        let mut words = [0; 2];
        let mut bitmap = Bitmap::new(&mut words);
        bitmap.mark(0, 128, false);
        assert_eq!(bitmap.take(usize::MAX / 2, 1), None);
        assert_eq!(bitmap.take(129, 1), None);
        assert_eq!(bitmap.take(128, 1), Some(0));
    }
}
