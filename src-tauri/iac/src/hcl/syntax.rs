//! Native syntax, by tree-sitter.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use countersign_domain::names::quoted;
use tree_sitter::{Node, ParseOptions, Parser, Point, Range, Tree};

use super::{Backslashes, Block, Literal, MAX_PROBLEMS, Parsed, PathBase, PathReach, PathUse, Position, Problem};
use super::{path_use, unescape};

/// How deep blocks, lists and objects are followed.
const MAX_DEPTH: usize = 32;

/// Functions that read a file or list a directory, whose first argument is a path.
const FILE_FUNCTIONS: [&str; 11] = [
    "file",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "fileexists",
    "filemd5",
    "fileset",
    "filesha1",
    "filesha256",
    "filesha512",
    "templatefile",
];

/// Words that begin a top-level block.
const TOP_LEVEL: [&str; 13] = [
    "check",
    "data",
    "ephemeral",
    "import",
    "locals",
    "module",
    "moved",
    "output",
    "provider",
    "removed",
    "resource",
    "terraform",
    "variable",
];

thread_local! {
    /// A parser costs more to set up than most files cost to read.
    static PARSER: RefCell<Option<Parser>> = const { RefCell::new(None) };
}

pub(super) fn parse(path: &str, text: &str) -> Parsed {
    let file = SourceFile { path, text };
    let whole = file.parse_ranges(&[]);
    if whole.problems.is_empty() {
        return whole;
    }
    // An error makes the parser lose its way, at times up to the file's end. Block by block, it loses one block.
    let mut parsed = Parsed::default();
    for range in block_ranges(text) {
        let block = file.parse_ranges(&[range]);
        parsed.blocks.extend(block.blocks);
        parsed.path_uses.extend(block.path_uses);
        parsed.problems.extend(block.problems);
    }
    if parsed.problems.is_empty() {
        parsed.problems = whole.problems;
    }
    parsed.problems.truncate(MAX_PROBLEMS);
    parsed
}

/// The text cut before every line that looks like the beginning of a top-level block, as `terraform fmt` writes it.
fn block_ranges(text: &str) -> Vec<Range> {
    let mut starts = vec![(0, 0)];
    let mut byte = 0;
    for (row, line) in text.split_inclusive('\n').enumerate() {
        if byte > 0 && is_block_start(line) {
            starts.push((byte, row));
        }
        byte += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([(text.len(), usize::MAX)]);
    let point = |row| Point { row, column: 0 };
    let range = |(start, end): ((usize, usize), (usize, usize))| Range {
        start_byte: start.0,
        end_byte: end.0,
        start_point: point(start.1),
        end_point: point(end.1),
    };
    starts.iter().copied().zip(ends).map(range).collect()
}

fn is_block_start(line: &str) -> bool {
    let word = line.split([' ', '\t', '{', '"']).next().unwrap_or_default();
    TOP_LEVEL.contains(&word)
}

/// The tree of `text`, or of its `ranges` when there are any. Nothing when the parser gives up: hostile text can make
/// its error recovery slow, so its work is bounded by the text's length.
fn tree(text: &str, ranges: &[Range]) -> Option<Tree> {
    PARSER.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut parser = Parser::new();
            parser.set_language(&tree_sitter_hcl::LANGUAGE.into()).ok()?;
            *slot = Some(parser);
        }
        let parser = slot.as_mut()?;
        parser.set_included_ranges(ranges).ok()?;
        // Valid text takes one step for about 20 bytes.
        let length: usize = match ranges {
            [] => text.len(),
            some => some.iter().map(|range| range.end_byte - range.start_byte).sum(),
        };
        let mut left = 10_000 + length / 4;
        let mut count = |_: &tree_sitter::ParseState| {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut count);
        let mut piece = |from: usize, _| text.as_bytes().get(from..).unwrap_or_default();
        let tree = parser.parse_with_options(&mut piece, None, Some(options));
        // A cancelled parse would otherwise be resumed with the next file.
        parser.reset();
        tree
    })
}

struct SourceFile<'t> {
    path: &'t str,
    text: &'t str,
}

/// The children without comments. By cursor: asking for them one by one takes quadratic time.
fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let found: Vec<Node<'_>> = node.children(&mut node.walk()).filter(|child| child.kind() != "comment").collect();
    found.into_iter()
}

impl SourceFile<'_> {
    fn parse_ranges(&self, ranges: &[Range]) -> Parsed {
        let mut parsed = Parsed::default();
        let Some(tree) = tree(self.text, ranges) else {
            parsed.problems.push(Problem::of_file(self.path, "takes too long to parse; split it"));
            return parsed;
        };
        self.collect_blocks(tree.root_node(), MAX_DEPTH, &mut parsed.blocks);
        self.walk(&tree, &mut parsed);
        parsed
    }

    fn text(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn position(&self, node: Node<'_>) -> Position {
        let point = node.start_position();
        let line_start = node.start_byte().saturating_sub(point.column);
        let before = self.text.get(line_start..node.start_byte()).unwrap_or_default();
        Position { file: self.path.to_owned(), line: point.row + 1, column: before.chars().count() + 1 }
    }

    /// The blocks directly in `node` that matter. An error node may hold whole blocks.
    fn collect_blocks(&self, node: Node<'_>, depth: usize, into: &mut Vec<Block>) {
        if depth == 0 {
            return;
        }
        for child in children(node) {
            match child.kind() {
                "body" | "ERROR" => self.collect_blocks(child, depth - 1, into),
                "block" => into.extend(self.top_block(child)),
                _ => {}
            }
        }
    }

    fn top_block(&self, node: Node<'_>) -> Option<Block> {
        let (kind, labels) = self.head(node);
        Block::matters(&kind, &labels).then(|| self.block(node, MAX_DEPTH))
    }

    fn head(&self, node: Node<'_>) -> (String, Vec<String>) {
        let names = children(node).take_while(|child| child.kind() != "block_start");
        let mut names = names.map(|child| match child.kind() {
            "string_lit" => self.string(child).unwrap_or_default(),
            _ => self.text(child).to_owned(),
        });
        (names.next().unwrap_or_default(), names.collect())
    }

    fn block(&self, node: Node<'_>, depth: usize) -> Block {
        let (kind, labels) = self.head(node);
        let position = self.position(node);
        let mut block = Block { kind, labels, attributes: BTreeMap::new(), blocks: Vec::new(), position };
        for child in children(node).filter(|child| matches!(child.kind(), "body" | "ERROR")) {
            self.fill(child, depth, &mut block);
        }
        block
    }

    fn fill(&self, body: Node<'_>, depth: usize, block: &mut Block) {
        for child in children(body) {
            match child.kind() {
                "attribute" => {
                    let mut parts = children(child);
                    let Some(name) = parts.next() else { continue };
                    let Some(value) = parts.find(|part| part.kind() == "expression") else { continue };
                    block.attributes.insert(self.text(name).to_owned(), self.literal(value, depth));
                }
                "block" if depth > 0 => block.blocks.push(self.block(child, depth - 1)),
                "body" | "ERROR" if depth > 0 => self.fill(child, depth - 1, block),
                _ => {}
            }
        }
    }

    fn literal(&self, node: Node<'_>, depth: usize) -> Literal {
        let dynamic = || Literal::Dynamic(self.text(node).trim().to_owned());
        if depth == 0 || node.has_error() {
            return dynamic();
        }
        let mut parts = children(node);
        match (node.kind(), parts.next(), parts.next()) {
            ("expression" | "literal_value" | "collection_value", Some(only), None) => self.literal(only, depth - 1),
            ("string_lit", ..) => self.string(node).map_or_else(dynamic, Literal::Text),
            ("numeric_lit" | "bool_lit", ..) => Literal::Bare(self.text(node).to_owned()),
            ("null_lit", ..) => Literal::Null,
            ("tuple", ..) => Literal::List(
                children(node).filter(|c| c.kind() == "expression").map(|c| self.literal(c, depth - 1)).collect(),
            ),
            ("object", ..) => self.object(node, depth).unwrap_or_else(dynamic),
            _ => dynamic(),
        }
    }

    /// Nothing when a key would have to be evaluated.
    fn object(&self, node: Node<'_>, depth: usize) -> Option<Literal> {
        let mut members = BTreeMap::new();
        for element in children(node).filter(|child| child.kind() == "object_elem") {
            let key = element.child_by_field_name("key")?;
            let value = element.child_by_field_name("val")?;
            let key = match self.literal(key, depth - 1) {
                Literal::Text(text) | Literal::Bare(text) => text,
                // A bare word is a key, not a reference.
                Literal::Dynamic(text) if is_word(&text) => text,
                _ => return None,
            };
            members.insert(key, self.literal(value, depth - 1));
        }
        Some(Literal::Object(members))
    }

    fn string(&self, node: Node<'_>) -> Option<String> {
        let quoted = self.text(node).trim();
        unescape(quoted.strip_prefix('"')?.strip_suffix('"')?, Backslashes::Escape)
    }

    /// Visits every node once, without recursion: nesting is the author's choice.
    fn walk(&self, tree: &Tree, parsed: &mut Parsed) {
        let mut cursor = tree.walk();
        loop {
            let node = cursor.node();
            self.visit(node, parsed);
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    fn visit(&self, node: Node<'_>, parsed: &mut Parsed) {
        // What the parser says after the first error is mostly its consequence.
        if (node.is_error() || node.is_missing()) && parsed.problems.is_empty() {
            parsed.problems.push(self.syntax_error(node));
        }
        match node.kind() {
            "function_call" => parsed.path_uses.extend(self.file_call(node)),
            "quoted_template" => parsed.path_uses.extend(self.path_template(node)),
            _ => {}
        }
    }

    fn syntax_error(&self, node: Node<'_>) -> Problem {
        let rest = self.text.get(node.start_byte()..).unwrap_or_default();
        let near = rest.lines().next().unwrap_or_default().trim();
        let message = match near {
            "" => "syntax error: something is missing here".to_owned(),
            _ => format!("syntax error near {}", quoted(near)),
        };
        Problem::at(&self.position(node), message)
    }

    /// `file("x")`: the path is relative to the directory the tool runs in, which is the unit.
    fn file_call(&self, node: Node<'_>) -> Option<PathUse> {
        let name = node.child(0)?;
        if !FILE_FUNCTIONS.contains(&self.text(name)) {
            return None;
        }
        let arguments = children(node).find(|child| child.kind() == "function_arguments")?;
        let first = children(arguments).find(|child| child.kind() == "expression")?;
        let Literal::Text(path) = self.literal(first, MAX_DEPTH) else { return None };
        let reach = if self.text(name) == "fileset" { PathReach::Below } else { PathReach::Exact };
        Some(PathUse { base: PathBase::Unit, path, reach, position: self.position(node) })
    }

    fn path_template(&self, node: Node<'_>) -> Option<PathUse> {
        let quoted = self.text(node).trim();
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let (base, path, reach) = path_use(inner, Backslashes::Escape)?;
        Some(PathUse { base, path, reach, position: self.position(node) })
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}
