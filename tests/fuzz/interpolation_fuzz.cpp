// Any bytes go in: as a tree where they spell a map, else as one value among others. Resolving
// must end within its budgets, give the same for one path as for all, and fail only with a reason.

#include "engine/recipe/interpolation.h"
#include "engine/recipe/override.h"
#include "engine/recipe/resolve.h"

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

void check_pieces(std::string_view text) {
    ParsedText parsed = parse_text(text);
    if (parsed.mistake) {
        require(parsed.mistake->begin <= parsed.mistake->end && parsed.mistake->end <= text.size(),
                "a mistake lies inside the text");
        require(!parsed.mistake->message.empty(), "a mistake has a message");
        return;
    }
    for (const TextPiece& piece : parsed.pieces)
        if (piece.interpolation)
            require(text.substr(piece.interpolation->begin, 2) == "${" &&
                        text[piece.interpolation->end - 1] == '}',
                    "an interpolation stands between its braces");
}

NodePtr with_neighbours(std::string text, Span where) {
    std::string mistake;
    NodePtr base = parse_override_value(
        "{a: 1, n: null, m: ???, s: text, l: [1, 2.5, ${a}], t: {x: ${a}, y: {z: ${...s}}}, "
        "k: t.x, r: ${t}, q: 'x${a}'}",
        where,
        mistake);
    auto out = copy(*base);
    out->entries.push_back({"v", where, make_string(text, where), false, {}});
    auto inner = copy(*out->get("t"));
    inner->entries.push_back({"v", where, make_string(std::move(text), where), false, {}});
    out->entries.push_back({"u", where, inner, false, {}});
    return out;
}

ResolveOptions bounded() {
    ResolveOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "HOME")
            return "/home";
        return std::nullopt;
    };
    options.most_nodes = 2'000;
    options.most_text = 1 << 16;
    return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(reinterpret_cast<const char*>(data), size);
    check_pieces(text);
    split_path(text);

    Sources sources;
    const Source& source = sources.add_argument(1, text);
    Span where = source.span(0, size);
    std::string mistake;
    NodePtr root = parse_override_value(text, where, mistake);
    if (!root || !root->is_map())
        root = with_neighbours(text, where);

    ResolveOptions options = bounded();
    Diagnostics diagnostics;
    NodePtr all = resolve(root, options, diagnostics);
    require(all != nullptr, "there is always a tree");
    require(count_nodes(*all) <= count_nodes(*root) + options.most_nodes + size + 64,
            "the budget of nodes holds");
    render(diagnostics, sources, RenderOptions{});
    for (const Entry& entry : root->entries) {
        Diagnostics one;
        NodePtr value = resolve_at(root, {entry.key}, options, one);
        require(value || !one.ok(), "a value fails only with a reason");
        require(!diagnostics.ok() || !value || deep_equal(*value, *all->get(entry.key)),
                "one path resolves as the whole does");
    }
    return 0;
}
