//! Programming languages: what fences call them, and what they look like.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language of programs, queries or documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say all")]
pub enum ProgrammingLanguage {
    Sql,
    Python,
    TypeScript,
    JavaScript,
    Java,
    CSharp,
    Cpp,
    C,
    Ruby,
    Php,
    Swift,
    Kotlin,
    Go,
    Rust,
    Scala,
    R,
    Perl,
    Shell,
    Html,
    Css,
    Xml,
    Json,
    Yaml,
    Markdown,
    Dockerfile,
}

use ProgrammingLanguage as L;

/// A language, what fences call it in small letters, and what is in its code and hardly in anything else. Those that look like prose have no
/// such pattern: only a fence tells them. Of two that look alike, the more particular stands first.
const LANGUAGES: [(L, &[&str], &str); 25] = [
    (
        L::Sql,
        &["sql", "mysql", "postgresql", "postgres", "sqlite", "plsql", "tsql"],
        r"\bSELECT\s[^;]{1,200}?\sFROM\s+\w|\bINSERT\s+INTO\s+\w|\bUPDATE\s+\w+\s+SET\s|\bDELETE\s+FROM\s+\w|\bCREATE\s+(?:TABLE|VIEW|INDEX)\s+\w|\bALTER\s+TABLE\s|\bWHERE\s+\w+\s*(?:[=<>]|IN\b|LIKE\b)|(?i:\bselect\s+[\w*,. ]+\s+from\s+\w+(?:\s+where\s+\w+\s*[=<>][^;]*)?;)|(?i:\binsert\s+into\s+\w+\s*\()",
    ),
    (
        L::Python,
        &["python", "py", "python3", "ipython", "pycon"],
        r#"(?m)^\s*(?:async )?def \w+\(.*\)\s*(?:->.*)?:|^\s*class \w+(?:\(.*\))?:\s*$|^\s*from [\w.]+ import [\w*]|^\s*import \w+ as \w+\s*$|__name__ == ['"]|^\s*for \w+ in range\(|\bself\.\w+ ="#,
    ),
    (
        L::Rust,
        &["rust", "rs"],
        r"\bfn \w+(?:<.*>)?\(.*\)\s*(?:->.*)?\{|\blet mut \w+|\buse (?:std|crate|super)::|\bimpl(?:<.*>)? \w+.*\{|\bprintln!\(|#\[derive\(|\bSome\(|\.unwrap\(\)",
    ),
    (
        L::Go,
        &["go", "golang"],
        r"(?m)^package \w+\s*$|\bfunc (?:\(\w+ \*?\w+\) )?\w+\(.*\).*\{\s*$|\b\w+ := |\bfmt\.[A-Z]\w+\(|\bif err != nil",
    ),
    (
        L::TypeScript,
        &["typescript", "ts", "tsx"],
        r"\(\w+\??: (?:string|number|boolean|any|unknown)\b|\binterface \w+(?: extends \w+)? \{|\btype \w+(?:<.*>)? = [{\w]|\): (?:string|number|boolean|void|Promise<.*>) (?:\{|=>)|\b(?:const|let) \w+: \w+(?:\[\])? =",
    ),
    (
        L::JavaScript,
        &["javascript", "js", "jsx", "mjs", "cjs", "node"],
        r#"\b(?:const|let|var) \w+ = .*;|\bfunction\s*\w*\([^)]*\)\s*\{|=>\s*\{|\bconsole\.log\(|\brequire\(['"]|\bimport .{1,100} from ['"]|\bdocument\.\w+\("#,
    ),
    (
        L::Java,
        &["java"],
        r"\bpublic (?:static |final |abstract )*(?:class|interface|void|int|String|boolean) \w+\s*[({]|\bSystem\.out\.print|\bimport java[x]?\.[\w.]+;|\bnew \w+(?:<.*>)?\(.*\);|@Override",
    ),
    (
        L::CSharp,
        &["csharp", "cs", "c#", "dotnet"],
        r"\busing System(?:\.\w+)*;|\bConsole\.(?:Write|Read)(?:Line)?\(|\{ get; (?:private |init; )?(?:set; )?\}|\bpublic (?:async )?(?:Task(?:<.*>)?|string) \w+\(",
    ),
    (
        L::Cpp,
        &["cpp", "c++", "cc", "cxx", "hpp"],
        r"#include <(?:iostream|vector|string|map|memory|algorithm|functional)>|\bstd::\w+|\bcout\s*<<|\btemplate\s*<|\busing namespace \w+;",
    ),
    (
        L::C,
        &["c", "h"],
        r#"#include <\w+\.h>|\bint main\((?:void|int argc.*)?\)|\bprintf\("|\b(?:malloc|sizeof)\(|\bstruct \w+ \*\w+"#,
    ),
    (
        L::Ruby,
        &["ruby", "rb", "irb"],
        r#"(?m)^\s*def \w+[?!]?(?:\(.*\))?\s*$|^\s*require(?:_relative)? ['"]|\bdo \|\w+(?:, ?\w+)*\||^\s*puts ["']|\battr_(?:accessor|reader) :|^\s*end\s*$"#,
    ),
    (L::Perl, &["perl", "pl"], r"\b(?:my|our) [$@%]\w+|\buse (?:strict|warnings);|\bsub \w+ \{|=~ [ms]?/"),
    (L::Php, &["php"], r#"<\?php|\$this->\w|\becho (?:["'$])|\$\w+ = [^=\s].*;|\bfunction \w+\(\$\w+"#),
    (
        L::Swift,
        &["swift"],
        r"\bfunc \w+\(.*\) -> \w+ \{|\b(?:let|var) \w+: \w+\?? = |\bimport (?:Foundation|UIKit|SwiftUI)\b|\bguard let \w+ =|\bif let \w+ = .*\{",
    ),
    (
        L::Scala,
        &["scala"],
        r"\bdef \w+(?:\[.*\])?\(.*\)(?:: \w.*)? = |\bcase class \w+\(|\bobject \w+ (?:extends \w+ )?\{|\bcase \w+ =>",
    ),
    (L::Kotlin, &["kotlin", "kt", "kts"], r"\bfun \w+\(.*\).*\{|\bdata class \w+\(|\bval \w+(?:: \w+)? = |\bwhen \(\w+\) \{"),
    (L::R, &["r", "rscript"], r"\w <- (?:function\(|c\(|\w+\()|\blibrary\(\w+\)|\bdata\.frame\(|%>%"),
    (
        L::Dockerfile,
        &["dockerfile", "docker", "containerfile"],
        r#"(?m)^FROM [\w./-]+(?::[\w.-]+)?(?: AS \w+)?\s*$|^(?:RUN|COPY|WORKDIR|ENTRYPOINT|EXPOSE|CMD) [\w\["./]"#,
    ),
    (
        L::Shell,
        &["shell", "sh", "bash", "zsh", "ksh", "console", "shell-session", "terminal"],
        r#"(?m)^#!/\S*\b(?:ba|z|k)?sh\b|^\s*(?:\$ )?(?:sudo|apt-get|chmod|mkdir|rm -\w+|curl|wget|git (?:clone|commit|push|pull)|export \w+=)\s*\S|^\s*(?:fi|done|esac)\s*$|^\s*if \[|^\s*echo ["$]"#,
    ),
    (
        L::Html,
        &["html", "htm", "xhtml"],
        r"(?i)<!doctype html|</(?:html|head|body|div|span|script|style|table|form|ul|p|a|h[1-6])>",
    ),
    (L::Css, &["css", "scss", "sass", "less"], r"[.#]?[\w-]+(?:[ ,>:]+[.#]?[\w-]+)*\s*\{\s*[a-z-]+\s*:\s*[^;{}]+;|@media\s*\("),
    (L::Xml, &["xml", "svg", "xsd", "xslt"], r"<\?xml |\bxmlns(?::\w+)?="),
    (L::Json, &["json", "jsonc", "json5", "jsonl"], ""),
    (L::Yaml, &["yaml", "yml"], ""),
    (L::Markdown, &["markdown", "md"], ""),
];

/// The patterns, compiled; a language without one has none.
static LOOKS: LazyLock<Vec<(L, Regex)>> = LazyLock::new(|| {
    let looks = LANGUAGES.iter().filter(|(_, _, pattern)| !pattern.is_empty());
    looks.filter_map(|&(language, _, pattern)| Some((language, Regex::new(pattern).ok()?))).collect()
});

impl ProgrammingLanguage {
    /// What a fence calls the language, in small letters.
    pub(super) fn of_fence(tag: &str) -> Option<Self> {
        LANGUAGES.iter().find(|(_, tags, _)| tags.contains(&tag)).map(|&(language, ..)| language)
    }
}

/// The language that a text looks most like, in at least so many places, and from the first of these to the last, in bytes.
pub(super) fn told(text: &str, places: usize) -> Option<(L, Range<usize>)> {
    let mut best: Option<(usize, L, Range<usize>)> = None;
    for (language, look) in LOOKS.iter() {
        let (mut count, mut span) = (0, 0..0);
        for piece in pieces(text) {
            for place in look.find_iter(&text[piece.clone()]).map(|place| piece.start + place.start()..piece.start + place.end())
            {
                span = if count == 0 { place } else { span.start..place.end };
                count += 1;
            }
        }
        if count >= places && best.as_ref().is_none_or(|(most, ..)| count > *most) {
            best = Some((count, *language, span));
        }
    }
    best.map(|(_, language, span)| (language, trimmed(text, span)))
}

/// A text is searched in pieces of so many bytes: a pattern that looks for the end of a line looks anew from each place where it may begin, and a line of a
/// megabyte would cost its square.
const PIECE: usize = 4 << 10;

/// The pieces of a text, cut behind a line where there is one.
fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let longest = &rest[..rest.floor_char_boundary(PIECE)];
        let line = longest.rfind('\n').filter(|_| longest.len() < rest.len());
        let piece = start..start + line.map_or(longest.len(), |at| at + 1);
        start = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Patterns of whole lines take the blanks before them along.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let inside = &text[span.clone()];
    let start = span.start + inside.len() - inside.trim_start().len();
    start..start + inside.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_compiled() {
        let patterns = LANGUAGES.iter().filter(|(_, _, pattern)| !pattern.is_empty()).count();
        assert_eq!(LOOKS.len(), patterns);
    }

    #[test]
    fn fences_name_languages_in_many_ways() {
        for (tag, language) in
            [("py", L::Python), ("c++", L::Cpp), ("c#", L::CSharp), ("golang", L::Go), ("bash", L::Shell), ("yml", L::Yaml)]
        {
            assert_eq!(ProgrammingLanguage::of_fence(tag), Some(language));
        }
        assert_eq!(ProgrammingLanguage::of_fence(""), None);
    }

    #[test]
    fn a_long_text_is_searched_in_pieces_and_nothing_is_left_out() {
        let text = "let a = 1;\n".repeat(500) + &"é => { ".repeat(2_000);
        let pieces: Vec<_> = pieces(&text).collect();
        assert!(pieces.len() > 4 && text[pieces[0].clone()].ends_with('\n'));
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start) && pieces[pieces.len() - 1].end == text.len());
        assert_eq!(told(&text, 1).map(|(language, span)| (language, span.start)), Some((L::JavaScript, 0)));
    }

    #[test]
    fn languages_are_known_by_their_looks() {
        let samples = [
            (L::Sql, "SELECT id, name FROM users\nWHERE age > 3;"),
            (L::Sql, "select * from users;"),
            (L::Python, "from os import path\n\ndef f(x):\n    return x"),
            (L::Rust, "use std::fmt;\nfn main() {\n    let mut x = 1;\n}"),
            (L::Go, "package main\nfunc main() {\n\tx := 1\n\tfmt.Println(x)\n}"),
            (L::TypeScript, "interface User {\n  id: number;\n}\nfunction f(x: string): void {}"),
            (L::JavaScript, "const x = 1;\nfunction f(a) { console.log(a); }"),
            (L::Java, "public class Main {\n  public static void main(String[] a) { System.out.println(1); }\n}"),
            (L::CSharp, "using System;\nConsole.WriteLine(\"x\");"),
            (L::Cpp, "#include <iostream>\nint main() { std::cout << 1; }"),
            (L::C, "#include <stdio.h>\nint main(void) { printf(\"x\"); }"),
            (L::Ruby, "def f\n  puts 'x'\nend"),
            (L::Perl, "use strict;\nmy $x = 1;"),
            (L::Php, "<?php\n$x = 1;\necho $x;"),
            (L::Swift, "import Foundation\nfunc f(x: Int) -> Int { x }"),
            (L::Scala, "case class A(x: Int)\nobject Main extends App {"),
            (L::Kotlin, "data class A(val x: Int)\nfun main() { println(1) }"),
            (L::R, "x <- c(1, 2)\nlibrary(dplyr)"),
            (L::Dockerfile, "FROM alpine:3\nRUN apk add curl\nCMD [\"sh\"]"),
            (L::Shell, "#!/bin/bash\nsudo apt-get update\nif [ -f x ]; then\nfi"),
            (L::Html, "<!DOCTYPE html><html><body><p>x</p></body></html>"),
            (L::Css, "body { margin: 0; }\n.a > b { color: red; }"),
            (L::Xml, "<?xml version=\"1.0\"?><a xmlns=\"x\"/>"),
        ];
        for (language, text) in samples {
            assert_eq!(told(text, 1).map(|(told, _)| told), Some(language), "{text}");
        }
    }
}
