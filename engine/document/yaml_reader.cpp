// Stillroom reads YAML itself. A recipe is a hostile text as much as a friendly one, and every word
// of it is shown to people again: so we need the exact begin and end of every key and value, time
// linear in the text, memory bounded by budgets, and no construct read otherwise than YAML 1.2
// means it. The parser in common use drops positions of empty values, accepts a third of the
// invalid cases of the public suite, reads some valid ones wrongly, and needs a second scan behind
// it that would be a parser of its own. One pass over the bytes is smaller than those guards.
//
// cursor: lines, blanks, comments; scalars: plain, quoted and block texts; builder: nodes, tags,
// anchors, merging, budgets; block and flow: the grammar; refuse: its complaints.

#include "engine/document/yaml_reader.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/encoding.h"

#include <fmt/format.h>

namespace stillroom {
namespace yaml {
namespace {

constexpr std::size_t kDeepest = 1000;  // whatever the limits say: calls nest as collections do

Limits bounded(Limits limits) {
    limits.depth = std::min(limits.depth, kDeepest);
    return limits;
}

}  // namespace

Reader::Reader(const Source& source,
               const Limits& limits,
               Diagnostics& diagnostics,
               Document& document,
               Layout* layout)
    : cursor_(source, diagnostics, document.comments),
      builder_(cursor_, bounded(limits)),
      document_(document),
      layout_(layout) {}

NodePtr Reader::read() {
    bool on_new_line = start_document();
    Value root = block_value(-1, Parent::root, on_new_line);
    end_document(*root.node);
    return root.node;
}

/// True if the content begins on a line of its own, false behind `---`.
bool Reader::start_document() {
    bool content = cursor_.next_content();
    read_package();
    std::size_t at = cursor_.at();
    if (content && cursor_.peek() == '%' && cursor_.column() == 0)
        cursor_.refuse(code::kDocuments,
                       at,
                       at + 1,
                       "directives are not read",
                       "remove the line; quote a text that begins with '%'");
    if (content)
        return true;
    if (cursor_.peek() != '-')
        cursor_.refuse(code::kDocuments, 0, 0, "recipe is empty", "`stillroom init` writes one");
    cursor_.pass_marker();
    return false;
}

void Reader::end_document(const Node& root) {
    if (root.op != Operator::none)
        cursor_.refuse(code::kTag,
                       cursor_.at(),
                       cursor_.at(),
                       "an operator tag on the whole file",
                       "it belongs before the value of a key");
    if (!cursor_.ended()) {
        if (!root.is_scalar() && root.style == Style::block)
            refuse_indentation(last_column_);
        cursor_.refuse(code::kSyntax,
                       cursor_.at(),
                       cursor_.at() + 1,
                       "text behind the value of the whole file",
                       "a map has ': ' behind each key");
    }
    while (cursor_.ended() && cursor_.peek() == '.') {
        cursor_.pass_marker();
        cursor_.skip_blanks();
        if (cursor_.peek() == '#')
            cursor_.skip_comment();
        if (cursor_.at_line_end()) {
            cursor_.skip_line_break();
            cursor_.next_content();
        }
        if (!cursor_.ended())
            cursor_.refuse(code::kDocuments,
                           cursor_.at(),
                           cursor_.at() + 1,
                           "text behind the end of the document",
                           "remove it, or the '...' above");
    }
    if (!cursor_.at_end())
        cursor_.refuse(code::kDocuments,
                       cursor_.at(),
                       cursor_.at() + 3,
                       "a second document",
                       "a file holds one; remove '---' or split the file");
}

/// `# @package NAME` among the comments before anything else.
void Reader::read_package() {
    constexpr std::string_view kWord = "@package";
    for (const Comment& comment : document_.comments) {
        const Source& source = *document_.source;
        std::size_t begin = source.offset(comment.where.begin);
        std::string_view text =
            std::string_view(source.text()).substr(begin, source.offset(comment.where.end) - begin);
        std::string_view words = trim(text.substr(1));
        if (!words.starts_with(kWord) ||
            (words.size() > kWord.size() && !is_blank(words[kWord.size()])))
            continue;
        std::string_view name = trim(words.substr(kWord.size()));
        auto complain = [&](std::string message, std::string hint) {
            cursor_.report(code::kSyntax, comment.where, std::move(message))
                .with_hint(std::move(hint));
        };
        if (name.empty() || name.find_first_of(" \t") != std::string_view::npos) {
            complain(fmt::format("'{}' needs one name", kWord), "write `# @package NAME`");
        } else if (document_.package) {
            complain(fmt::format("a second '{}'", kWord), "a file has one package");
        } else {
            auto at = static_cast<std::size_t>(name.data() - source.text().data());
            document_.package = std::string(name);
            document_.package_where = source.span(at, at + name.size());
        }
    }
}

Document read(const Source& source,
              const Limits& limits,
              Diagnostics& diagnostics,
              Layout* layout) {
    Document document;
    document.source = &source;
    if (source.text().size() > limits.file_bytes) {
        diagnostics
            .error(
                code::kTooLarge,
                source.span(0, 0),
                fmt::format(
                    "the text has {} bytes, more than {}", source.text().size(), limits.file_bytes))
            .with_hint("raise `--limit file-bytes=N` if it is meant to be that large");
        return document;
    }
    if (!check_encoding(source, diagnostics) || !check_characters(source, diagnostics))
        return document;
    std::size_t before = diagnostics.errors();
    try {
        NodePtr root = Reader(source, limits, diagnostics, document, layout).read();
        if (diagnostics.errors() == before)
            document.root = std::move(root);
    } catch (const Refused&) {  // the diagnostics say why
    }
    return document;
}

}  // namespace yaml

Document read_yaml(const Source& source, const Limits& limits, Diagnostics& diagnostics) {
    return yaml::read(source, limits, diagnostics, nullptr);
}

}  // namespace stillroom
