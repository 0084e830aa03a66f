// Any bytes go in. What is read must be written and read again as the same value, and what is
// refused must have a reason with a place inside the text.

#include "engine/document/document.h"
#include "engine/document/format.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace stillroom;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

bool same_operators(const Node& a, const Node& b) {
    if (a.op != b.op || a.items.size() != b.items.size() || a.entries.size() != b.entries.size())
        return false;
    for (std::size_t i = 0; i < a.items.size(); ++i)
        if (!same_operators(*a.items[i], *b.items[i]))
            return false;
    for (std::size_t i = 0; i < a.entries.size(); ++i)
        if (!same_operators(*a.entries[i].value, *b.entries[i].value))
            return false;
    return true;
}

void check_places(const Node& node, const Source& source) {
    auto inside = [&](Span span) {
        return source.holds(span.begin) && source.holds(span.end) && span.begin <= span.end;
    };
    require(inside(node.where), "a value lies inside the text");
    for (const NodePtr& item : node.items)
        check_places(*item, source);
    for (const Entry& entry : node.entries) {
        require(inside(entry.where), "a key lies inside the text");
        check_places(*entry.value, source);
    }
}

/// A layout is found for every file, and is its own layout.
void check_format(const Document& document, Sources& sources, const Limits& limits) {
    Diagnostics diagnostics;
    std::optional<std::string> once = format(document, diagnostics);
    require(once.has_value(), "what can be read can be formatted");
    Document again = read_yaml(sources.add("formatted", *once), limits, diagnostics);
    std::optional<std::string> twice = format(again, diagnostics);
    require(twice == once, "what is formatted formats to itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    const Source& source =
        sources.add("input", std::string(reinterpret_cast<const char*>(data), size));
    Document document = read_yaml(source, limits, diagnostics);
    require(document.root ? diagnostics.ok() : !diagnostics.ok(), "refused exactly with a reason");
    for (const Diagnostic& diagnostic : diagnostics.all())
        require(source.holds(diagnostic.where.begin), "a mistake lies inside the text");
    render(diagnostics, sources, RenderOptions{});
    if (!document.root)
        return 0;
    require(count_nodes(*document.root) <= limits.nodes, "the budget of nodes holds");
    check_places(*document.root, source);
    limits.file_bytes = 1 << 30;
    const Source& written = sources.add("written", to_yaml(*document.root));
    Document again = read_yaml(written, limits, diagnostics);
    require(again.root != nullptr, "what is written can be read");
    require(deep_equal(*document.root, *again.root), "what is written reads as the same value");
    require(same_operators(*document.root, *again.root), "operators survive writing");
    check_format(document, sources, limits);
    return 0;
}
