//! What speaks for an attack: parts that are played together.

use super::{
    parts::{
        Part::{
            self, All, Anew, Authority, Blank, Boundless, Cipher, Dictated, Disguised, Encoded, Frame, Halt, Hidden,
            Instructions, Invisible, Mark, Matter, Mode, Model, Obey, Override, Persona, Prior, Repeated, Reveal, Secret,
            Shouted, Somebody, Voices, Your,
        },
        parts,
    },
    sentences::Sentence,
};
use crate::guard::checks::phrases::Parts;

/// How far apart parts may be to belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// In one sentence.
    Sentence,
    /// In one window.
    Window,
}

/// Parts that say more together than each by itself.
const TOGETHER: [(&[Part], Within); 62] = [
    (&[Override, Instructions], Within::Sentence),
    (&[Override, Instructions, Prior], Within::Sentence),
    (&[Override, Instructions, All], Within::Sentence),
    (&[Override, Instructions, Your], Within::Sentence),
    (&[Override, Matter, Prior], Within::Sentence),
    (&[Override, Matter, All], Within::Sentence),
    (&[Override, Prior], Within::Sentence),
    (&[Override, All], Within::Sentence),
    (&[Override, Dictated], Within::Sentence),
    (&[Override, Dictated], Within::Window),
    (&[Override, Anew], Within::Window),
    (&[Override, Shouted], Within::Sentence),
    (&[Override, Mark], Within::Window),
    (&[Override, Model], Within::Window),
    (&[Anew], Within::Window),
    (&[Anew, Persona], Within::Window),
    (&[Anew, Halt], Within::Window),
    (&[Anew, Model], Within::Window),
    (&[Reveal, Hidden], Within::Sentence),
    (&[Hidden], Within::Window),
    (&[Hidden, Override], Within::Window),
    (&[Reveal, Secret, Somebody], Within::Sentence),
    (&[Reveal, Secret, Your], Within::Sentence),
    (&[Secret, Somebody], Within::Sentence),
    (&[Secret, Frame], Within::Window),
    (&[Secret, Authority], Within::Window),
    (&[Secret, Cipher], Within::Window),
    (&[Somebody, Cipher], Within::Sentence),
    (&[Persona], Within::Window),
    (&[Persona, Model], Within::Window),
    (&[Persona, Boundless], Within::Window),
    (&[Persona, Obey], Within::Window),
    (&[Persona, Voices], Within::Window),
    (&[Persona, Frame], Within::Window),
    (&[Persona, Mode], Within::Window),
    (&[Boundless, Model], Within::Window),
    (&[Boundless, Obey], Within::Window),
    (&[Boundless, Frame], Within::Window),
    (&[Obey], Within::Window),
    (&[Obey, Model], Within::Window),
    (&[Obey, Voices], Within::Window),
    (&[Model], Within::Window),
    (&[Model, Voices], Within::Window),
    (&[Mode, Model], Within::Window),
    (&[Mode, Anew], Within::Window),
    (&[Mode, Mark], Within::Window),
    (&[Mark], Within::Window),
    (&[Mark, Instructions], Within::Sentence),
    (&[Dictated], Within::Sentence),
    (&[Dictated, Frame], Within::Window),
    (&[Dictated, Mark], Within::Window),
    (&[Dictated, Halt], Within::Window),
    (&[Frame, Cipher], Within::Window),
    (&[Frame], Within::Window),
    (&[Cipher], Within::Window),
    (&[Authority], Within::Window),
    (&[Shouted], Within::Sentence),
    (&[Blank], Within::Sentence),
    (&[Encoded], Within::Sentence),
    (&[Disguised], Within::Sentence),
    (&[Invisible], Within::Sentence),
    (&[Repeated], Within::Sentence),
];

/// The parts of which many at once are a sign by themselves.
const TELLING: Parts =
    parts(&[Override, Anew, Hidden, Persona, Boundless, Obey, Model, Mode, Mark, Voices, Dictated, Frame, Authority, Cipher]);
/// So many of them, or more.
const BREADTHS: [usize; 5] = [3, 4, 5, 6, 8];
/// Parts that jailbreaks play in one sentence after the other.
const INSISTENT: [Part; 4] = [Persona, Boundless, Obey, Model];
/// In more than so many sentences.
const SENTENCES: usize = 2;

/// How many signs there are.
pub(super) const SIGNS: usize = TOGETHER.len() + BREADTHS.len() + INSISTENT.len();

/// Which signs a window shows.
pub(super) type Signs = [bool; SIGNS];

/// The signs of some sentences that stand together.
pub(super) fn signs(window: &[Sentence]) -> Signs {
    const WANTED: [Parts; TOGETHER.len()] = {
        let mut wanted = [Parts::NONE; TOGETHER.len()];
        let mut n = 0;
        while n < TOGETHER.len() {
            wanted[n] = parts(TOGETHER[n].0);
            n += 1;
        }
        wanted
    };
    let all = window.iter().fold(Parts::default(), |all, sentence| all.with(sentence.parts));
    let mut signs = [false; SIGNS];
    let (together, rest) = signs.split_at_mut(TOGETHER.len());
    for ((sign, wanted), (_, within)) in together.iter_mut().zip(WANTED).zip(TOGETHER) {
        *sign = all.has(wanted) && (within == Within::Window || window.iter().any(|sentence| sentence.parts.has(wanted)));
    }
    let (breadths, insistent) = rest.split_at_mut(BREADTHS.len());
    let breadth = all.common(TELLING).count();
    breadths.iter_mut().zip(BREADTHS).for_each(|(sign, least)| *sign = breadth >= least);
    for (sign, part) in insistent.iter_mut().zip(INSISTENT) {
        *sign = window.iter().filter(|sentence| sentence.parts.has(parts(&[part]))).count() > SENTENCES;
    }
    signs
}

/// What a sign is called in the fit.
pub(super) fn names() -> impl Iterator<Item = String> {
    let together = TOGETHER.iter().map(|(parts, within)| format!("{parts:?} in a {within:?}").to_lowercase());
    let breadths = BREADTHS.iter().map(|least| format!("{least} parts"));
    let insistent = INSISTENT.iter().map(|part| format!("{part:?} over and over").to_lowercase());
    together.chain(breadths).chain(insistent)
}
