//! Text to token ids, cut to the model's window.

use tokenizers::Tokenizer;

use super::{EmbedError, MAX_TOKENS, ModelFiles, model::TOKENIZER};

/// No text of this many bytes fits the window, unless its words are over 60 letters each; what lies beyond is not worth tokenizing.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Words that hold English sentences together. A text that has fewer of them than of words that the vocabulary must spell in pieces is in another language.
const FUNCTION_WORDS: &str = "the a an are were be been am does did has had have you she it we they my your his its our their him us them what which who whom \
    whose when where why how this that these those there here of on at for from with by about into than and or but not if then can could will would should \
    shall may might must is do i to in get make any best give tell many much";

/// What the tokenizer makes of a prompt.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) ids: Vec<u32>,
    pub(super) offsets: Vec<(u32, u32)>,
    pub(super) truncated: bool,
    pub(super) unknown: f32,
}

/// What a token says of the language that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// It stands for something that the vocabulary does not have.
    Unknown,
    /// It continues the word before it.
    Continues,
    /// It is a word that the model's language cannot do without.
    Familiar,
    /// It is another word, or begins one.
    Word,
    /// It is a number or a mark.
    Nothing,
}

impl Evidence {
    fn of(token: &str) -> Self {
        match token {
            "[UNK]" | "<unk>" => Self::Unknown,
            _ if token.starts_with("##") => Self::Continues,
            _ if FUNCTION_WORDS.split_ascii_whitespace().any(|word| word == token) => Self::Familiar,
            _ if token.starts_with(char::is_alphabetic) => Self::Word,
            _ => Self::Nothing,
        }
    }
}

/// The model's own tokenizer.
#[derive(Debug)]
pub(super) struct Tokens256 {
    tokenizer: Tokenizer,
    /// By token.
    evidence: Vec<Evidence>,
}

impl Tokens256 {
    /// Loads the tokenizer and takes its truncation away, for what is cut off must be noticed.
    pub(super) fn load(files: &ModelFiles) -> Result<Self, EmbedError> {
        let mut tokenizer = Tokenizer::from_bytes(files.tokenizer()).map_err(|error| files.error(TOKENIZER, error))?;
        tokenizer.with_truncation(None).map_err(|error| files.error(TOKENIZER, error))?;
        tokenizer.with_padding(None);
        let evidence = evidence(&tokenizer);
        Ok(Self { tokenizer, evidence })
    }

    /// Tokens with their begin and end marks, at most [`MAX_TOKENS`].
    pub(super) fn of(&self, text: &str) -> Result<Tokens, EmbedError> {
        let read = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
        let encoding = self.tokenizer.encode(read, true).map_err(|error| EmbedError::Inference(error.to_string()))?;
        let mut ids = encoding.get_ids().to_vec();
        let small = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let mut offsets: Vec<_> = encoding.get_offsets().iter().map(|&(begin, end)| (small(begin), small(end))).collect();
        let truncated = ids.len() > MAX_TOKENS || read.len() < text.len();
        if ids.len() > MAX_TOKENS {
            let end = ids[ids.len() - 1];
            ids.truncate(MAX_TOKENS - 1);
            ids.push(end);
            offsets.truncate(MAX_TOKENS - 1);
            offsets.push((0, 0));
        }
        Ok(Tokens { truncated, unknown: self.unknown(&ids), ids, offsets })
    }

    /// Of the words that tell the language, the share that speaks against the model's own. A single word that has no token at all makes it 1: every such word is
    /// the same to the model, so that a snake and a turtle would be one.
    fn unknown(&self, ids: &[u32]) -> f32 {
        let evidence = |id: u32| self.evidence.get(id as usize).copied().unwrap_or(Evidence::Nothing);
        if ids.iter().any(|&id| evidence(id) == Evidence::Unknown) {
            return 1.0;
        }
        let (mut foreign, mut familiar) = (0_u16, 0_u16);
        for pair in ids.windows(2) {
            match (evidence(pair[0]), evidence(pair[1])) {
                (Evidence::Word | Evidence::Familiar, Evidence::Continues) => foreign += 1,
                (Evidence::Familiar, _) => familiar += 1,
                _ => {}
            }
        }
        f32::from(foreign) / f32::from((foreign + familiar).max(1))
    }
}

/// What each token of the vocabulary says. A vocabulary that does not mark continued words may be of any language: all that it has is familiar.
fn evidence(tokenizer: &Tokenizer) -> Vec<Evidence> {
    let size = u32::try_from(tokenizer.get_vocab_size(true)).unwrap_or(u32::MAX);
    let mut evidence: Vec<_> = (0..size).map(|id| Evidence::of(&tokenizer.id_to_token(id).unwrap_or_default())).collect();
    if !evidence.contains(&Evidence::Continues) {
        evidence
            .iter_mut()
            .filter(|evidence| **evidence != Evidence::Unknown)
            .for_each(|evidence| *evidence = Evidence::Familiar);
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens256 {
        Tokens256::load(&ModelFiles::open(None).unwrap()).unwrap()
    }

    #[test]
    fn a_word_without_a_token_makes_the_text_unknown() {
        for text in
            ["What does \u{1F40D} mean?", "What does \u{732B} mean in English?", &format!("Translate {}", "acgt".repeat(30))]
        {
            assert!((tokens().of(text).unwrap().unknown - 1.0).abs() < f32::EPSILON, "{text}");
        }
    }

    const ENGLISH: &str = "
How do I reset my password?
Which documents does an applicant have to bring?
kubernetes pods are stuck in a pending state, how can I find out why?
what is photosynthesis
My Wi-Fi router keeps dropping the connection after the firmware upgrade.
Is Reykjavik colder than Ulaanbaatar in January?
Who wrote Anna Karenina?
pls tell me how to cook biryani
Summarize the following paragraph in two sentences.
Cancel my subscription
order 1507
3.14159265358979 * 2 = ?";

    const FOREIGN: &str = "
Welche Sehenswürdigkeiten sollte man in Hamburg besuchen?
Wann öffnet das Museum am Sonntag?
Der Drucker druckt nur noch leere Seiten, woran kann das liegen?
Quels sont les meilleurs musées de Lyon ?
Mon imprimante ne fonctionne plus depuis la mise à jour.
À quelle heure ouvre la bibliothèque le dimanche ?
¿Qué lugares debería visitar en Sevilla?
La impresora no funciona desde la última actualización.
¿A qué hora abre la biblioteca los domingos?
Quali musei devo visitare a Torino?
La stampante non funziona più dopo l'aggiornamento.
Welke musea moet ik in Utrecht bezoeken?
De printer doet het niet meer sinds de update.
Que museus devo visitar em Lisboa?
A impressora deixou de funcionar depois da atualização.
Jakie muzea warto zobaczyć w Krakowie?
Drukarka nie działa po aktualizacji.
İzmir'de hangi müzeleri gezmeliyim?
Güncellemeden sonra yazıcı çalışmıyor.
Vilka museer borde jag besöka i Malmö?
Které muzeum stojí v Brně za návštěvu?
Melyik múzeumot érdemes megnézni Budapesten?
Mitä museoita Tampereella kannattaa katsoa?
Museum mana yang harus saya kunjungi di Jakarta?
Tôi nên thăm bảo tàng nào ở Hà Nội?
Какие музеи стоит посетить в Казани?
Ποια μουσεία αξίζει να δω στην Αθήνα;
上海有哪些博物馆值得参观？
京都でおすすめの美術館はどこですか？
서울에서 가 볼 만한 박물관은 어디인가요?
ما هي المتاحف التي تستحق الزيارة في القاهرة؟
दिल्ली में कौन से संग्रहालय देखने चाहिए?
אילו מוזיאונים כדאי לבקר בתל אביב?
ควรไปพิพิธภัณฑ์ไหนในกรุงเทพ";

    #[test]
    fn english_is_known_with_its_names_terms_and_numbers() {
        let tokens = tokens();
        let unknown: Vec<_> = ENGLISH.lines().filter(|text| tokens.of(text).unwrap().unknown > 0.5).collect();
        assert_eq!(unknown, [""; 0]);
    }

    #[test]
    fn other_languages_are_not_whatever_their_script() {
        let tokens = tokens();
        let known: Vec<_> = FOREIGN.lines().skip(1).filter(|text| tokens.of(text).unwrap().unknown <= 0.5).collect();
        assert_eq!(known, [""; 0]);
    }

    #[test]
    fn where_words_are_not_continued_only_what_has_no_token_is_unknown() {
        let vocabulary = [("<unk>".to_owned(), 0), ("straße".to_owned(), 1), ("der".to_owned(), 2)];
        let model = tokenizers::models::wordlevel::WordLevel::builder()
            .vocab(vocabulary.into_iter().collect())
            .unk_token("<unk>".to_owned())
            .build()
            .unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::whitespace::Whitespace {}));
        let tokens = Tokens256 { evidence: evidence(&tokenizer), tokenizer };
        assert!(tokens.of("der straße der").unwrap().unknown.abs() < f32::EPSILON);
        assert!(tokens.of("xx der yy xx").unwrap().unknown > 0.5);
    }
}
