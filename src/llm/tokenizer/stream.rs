//! Turns the bytes of tokens, which may end in the middle of a character, into whole characters.
//!
//! Must never emit half a character, and must lose nothing but what is no UTF-8 at all, which becomes U+FFFD.

/// Bytes in, text out.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// A stream with nothing held back.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes and gives the text that is complete by now; at most three bytes are held back.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut out = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    rest = &[];
                    break;
                }
                Err(e) => {
                    let (whole, after) = rest.split_at(e.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(whole));
                    rest = after;
                    // `None`: it may become a character with the bytes to come.
                    let Some(bad) = e.error_len() else { break };
                    out.push(char::REPLACEMENT_CHARACTER);
                    rest = rest.get(bad..).unwrap_or_default();
                }
            }
        }
        let held = self.pending.len() - rest.len();
        self.pending.drain(..held);
        out
    }

    /// Ends the stream: what is still held back can no longer become a character.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_character_is_held_back_until_it_is_whole() {
        let mut stream = Utf8Stream::new();
        let family = "👨‍👩‍👧".as_bytes();
        let parts: Vec<String> = family.iter().map(|b| stream.push(&[*b])).collect();
        assert_eq!(parts.concat(), "👨‍👩‍👧");
        assert_eq!(parts.iter().filter(|p| !p.is_empty()).count(), 5);
        assert_eq!(stream.push(&[0xf0, 0x9f]), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.finish(), "");
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_text_is_that_of_a_lossy_conversion(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac)], 0..40),
            cut in 1usize..5,
        ) {
            let mut stream = Utf8Stream::new();
            let mut out: String = bytes.chunks(cut).map(|part| stream.push(part)).collect();
            prop_assert!(stream.pending.len() <= 3);
            out.push_str(&stream.finish());
            prop_assert_eq!(out, String::from_utf8_lossy(&bytes));
        }
    }
}
