//! Reads which other modules a module names: every `crate::`, `self::` and `super::` path, in imports, in code and inside macros.
//!
//! Test code is left out: a test may look into any room. What is said in comments is left out too.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, Item, Macro, Meta, Path, UseTree, Visibility,
    visit::{self, Visit},
};

/// A path in the code, from the root of the crate; `*` stands for all that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) target: Vec<String>,
}

/// What one file mentions.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) mentions: Vec<Mention>,
    /// Modules that are declared here as test code; the files they lie in are test code.
    pub(crate) tests: Vec<Vec<String>>,
}

/// Reads the file of a module.
pub(crate) fn read(module: &[String], text: &str) -> syn::Result<Mentions> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader { module: module.to_vec(), found: Mentions::default() };
    reader.visit_file(&file);
    Ok(reader.found)
}

struct Reader {
    module: Vec<String>,
    found: Mentions,
}

impl Reader {
    /// The path from the root of the crate, if it is one of this crate's.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            // The binary knows the library by its name.
            "crate" | "lockgate" => vec![],
            "self" => self.module.clone(),
            "super" => self.module.split_last()?.1.to_vec(),
            _ => return None,
        };
        while let Some((first, tail)) = rest.split_first().filter(|(first, _)| *first == "super" || *first == "self") {
            if first == "super" {
                target.pop()?;
            }
            rest = tail;
        }
        target.extend_from_slice(rest);
        Some(target)
    }

    fn mention(&mut self, path: &[String], span: Span) {
        if let Some(target) = self.resolve(path) {
            self.found.mentions.push(Mention { line: span.start().line, target });
        }
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) if name.ident == "self" => self.mention(prefix, name.ident.span()),
            UseTree::Name(name) => self.mention(&with(name.ident.to_string()), name.ident.span()),
            UseTree::Rename(rename) => self.mention(&with(rename.ident.to_string()), rename.ident.span()),
            UseTree::Glob(glob) => self.mention(&with("*".to_owned()), glob.star_token.spans[0]),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, prefix)),
        }
    }

    /// Inside a macro there are only tokens: `crate :: a :: b` in a row is a path.
    fn tokens(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            match &trees[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while let [TokenTree::Punct(a), TokenTree::Punct(b), TokenTree::Ident(next), ..] = &trees[at + 1..]
                        && (a.as_char(), b.as_char()) == (':', ':')
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    // A word alone, such as `self`, is no path.
                    if path.len() > 1 {
                        self.mention(&path, first.span());
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !for_tests(attributes) {
            visit::visit_item(self, item);
        } else if let Item::Mod(item) = item {
            self.found.tests.push([&self.module[..], &[item.ident.to_string()]].concat());
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        self.import(&import.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // `self` alone is a value.
        if let Some(first) = path.segments.first().filter(|_| names.len() > 1) {
            self.mention(&names, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }

    /// `pub(in crate::guard)` lets in, it does not import.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// `#[cfg(test)]`, or `#[cfg(all(test, …))]`.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let text = list.tokens.to_string().replace(' ', "");
            text == "test" || text.starts_with("all(test,")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(module: &str, text: &str) -> Vec<String> {
        let module: Vec<String> = module.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let found = read(&module, text).unwrap();
        found.mentions.iter().map(|mention| format!("{} {}", mention.line, mention.target.join("::"))).collect()
    }

    #[test]
    fn an_import_names_each_of_its_leaves() {
        let text = "use std::fmt;\nuse crate::{\n    clock,\n    guard::{self, Stored as S, rules::*},\n};";
        assert_eq!(targets("cache", text), ["3 clock", "4 guard", "4 guard::Stored", "4 guard::rules::*"]);
    }

    #[test]
    fn super_and_self_are_resolved_where_they_stand() {
        assert_eq!(targets("cache/index", "use super::Mode;"), ["1 cache::Mode"]);
        assert_eq!(targets("cache/index", "use super::super::guard::Cleared;"), ["1 guard::Cleared"]);
        assert_eq!(targets("pipeline", "fn f() { super::config::load() }"), ["1 config::load"]);
        assert_eq!(targets("cache", "mod inner { use super::super::config::Config; }"), ["1 config::Config"]);
        assert_eq!(targets("cache", "use self::super::config;"), ["1 config"]);
    }

    #[test]
    fn code_is_read_as_well_as_imports() {
        let text = "fn f(x: crate::wire::Role) -> Vec<crate::error::Error> {\n    match x { crate::wire::Role::User => <crate::a::B as crate::c::D>::e() }\n}";
        let expected = ["1 wire::Role", "1 error::Error", "2 wire::Role::User", "2 a::B", "2 c::D::e"];
        assert_eq!(targets("x", text), expected);
    }

    #[test]
    fn macros_are_read_token_by_token() {
        let text = "fn f() { format!(\"{}\", [g(crate::clock::now())]); assert!(self.x) }\nmacro_rules! m { () => { $crate::cache::X } }";
        assert_eq!(targets("x", text), ["1 clock::now", "2 cache::X"]);
    }

    #[test]
    fn test_code_comments_and_visibility_do_not_count() {
        let text = "//! [`crate::config`]\n#[cfg(test)] mod tests { use crate::config::Config; }\n#[cfg(test)] pub mod conformance;\n\
                    #[cfg(all(test, unix))] fn f() { crate::config::f() }\n#[cfg(test)] use crate::config;\n\
                    pub(in crate::guard) struct S; impl S { #[cfg(test)] fn g() { crate::config::g() } }";
        assert_eq!(targets("guard", text), Vec::<String>::new());
        assert_eq!(targets("x", "#[cfg(not(test))] use crate::config;"), ["1 config"]);
        let tests = read(&["guard".to_owned()], text).unwrap().tests;
        assert_eq!(tests.last().unwrap().join("::"), "guard::conformance");
    }
}
