//! What the load asks: one prompt again and again, a new one each time, or one question in ever new words.

use std::io::Write as _;

/// Prompts without end. No digits in them: the default rules look at numbers, and may replace them.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    kind: Kind,
    asked: usize,
    text: String,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Same,
    Distinct,
    Paraphrases,
}

impl Prompts {
    /// The same prompt every time.
    pub(crate) fn same() -> Self {
        Self::default()
    }

    /// A prompt that was not asked before, and that is about something else.
    pub(crate) fn distinct() -> Self {
        Self { kind: Kind::Distinct, ..Self::default() }
    }

    /// One question, each time in other words.
    pub(crate) fn paraphrases() -> Self {
        Self { kind: Kind::Paraphrases, ..Self::default() }
    }

    /// Replaces `request` with the next one, ready to send.
    pub(crate) fn write_request(&mut self, request: &mut Vec<u8>) {
        const BEFORE: &str = r#"{"model":"bench","temperature":0.7,"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":""#;
        const AFTER: &str = r#""}]}"#;
        self.next_text();
        request.clear();
        let length = BEFORE.len() + self.text.len() + AFTER.len();
        write!(
            request,
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             authorization: Bearer sk-bench\r\ncontent-length: {length}\r\n\r\n{BEFORE}{}{AFTER}",
            self.text,
        )
        .expect("writing to memory does not fail");
    }

    /// The next prompt's words.
    pub(crate) fn next_text(&mut self) -> &str {
        let nth = self.asked;
        self.asked += 1;
        self.text.clear();
        match self.kind {
            Kind::Same => self.text.push_str("What is the capital of France?"),
            Kind::Distinct => self.fill(&["Write about ", " and ", " for ", " who met ", " near ", " with "], scatter(nth)),
            Kind::Paraphrases => self.pick(nth),
        }
        &self.text
    }

    /// The pieces, with a word after each, drawn from the bits of `draw`.
    fn fill(&mut self, pieces: &[&str], mut draw: usize) {
        for piece in pieces {
            self.text.push_str(piece);
            self.text.push_str(WORDS[draw % WORDS.len()]);
            draw /= WORDS.len();
        }
    }

    /// The `nth` combination of the wordings; the first is the plain question.
    fn pick(&mut self, mut nth: usize) {
        for wordings in WORDINGS {
            self.text.push_str(wordings[nth % wordings.len()]);
            nth /= wordings.len();
        }
    }
}

/// Neighbouring numbers, far apart (the finaliser of SplitMix64): prompts in a row share no words.
fn scatter(nth: usize) -> usize {
    let mut x = (nth as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((x ^ (x >> 31)) >> 1).unwrap_or(nth)
}

#[rustfmt::skip] // One word a line would be longer than the rest of the file.
const WORDS: [&str; 64] = [
    "glaciers", "trumpets", "bakers", "satellites", "orchids", "judges", "submarines", "poets", "beetles", "bridges",
    "tax law", "volcanoes", "chess", "dentists", "lighthouses", "nomads", "printers", "cheese", "falcons", "theatres",
    "robots", "mushrooms", "sailors", "algebra", "carpets", "wolves", "airports", "monks", "perfume", "lightning",
    "surgeons", "tulips", "bicycles", "castles", "honey", "acrobats", "compilers", "rivers", "clowns", "batteries",
    "diplomats", "coral", "trains", "weavers", "meteors", "gardens", "football", "puppets", "oil wells", "violins",
    "deserts", "librarians", "whales", "windmills", "cinemas", "potters", "plumbing", "dragons", "harbours", "spies",
    "rice", "telescopes", "boxers", "snow",
];

/// Each list opens with what leaves the question plain. Together more combinations than a run asks for, because a hit
/// may be remembered under its own words, and would be an exact hit the next time.
#[rustfmt::skip]
const WORDINGS: [&[&str]; 5] = [
    &["", "Hi, ", "Hello, ", "Hey, ", "OK, ", "So, ", "Well, ", "Please: ", "Also, ", "And ", "Now, ", "Right, "],
    &["What is", "What's", "Tell me what is", "Say what is", "Please tell me what is", "I ask: what is", "Can you say what is"],
    &[" the capital", " the capital city", " the name of the capital", " the official capital", " the actual capital"],
    &[" of France?", " in France?", " of France, please?", " of the country France?", " of France then?", " of France now?"],
    &["", " Thanks!", " Thank you.", " Cheers.", " Many thanks.", " Thanks a lot.", " Please.", " Please!", " Thanks again."],
];
