// Any bytes go in as one argument. What is read must be spelled and read again as the same, and
// what is refused must have one reason with a place inside the argument.

#include "engine/recipe/override.h"
#include "engine/recipe/sweep.h"

#include <algorithm>
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

/// Kinds, texts and quotes, in order.
bool same(const Node& a, const Node& b) {
    bool shell = a.kind == b.kind && a.text == b.text && a.quoted() == b.quoted() &&
                 a.items.size() == b.items.size() && a.entries.size() == b.entries.size();
    for (std::size_t i = 0; shell && i < a.items.size(); ++i)
        shell = same(*a.items[i], *b.items[i]);
    for (std::size_t i = 0; shell && i < a.entries.size(); ++i)
        shell =
            a.entries[i].key == b.entries[i].key && same(*a.entries[i].value, *b.entries[i].value);
    return shell;
}

void check_places(const Node& node, const Source& source) {
    require(source.holds(node.where.begin) && source.holds(node.where.end) &&
                node.where.begin <= node.where.end,
            "a value lies inside the argument");
    for (const NodePtr& item : node.items)
        check_places(*item, source);
    for (const Entry& entry : node.entries)
        check_places(*entry.value, source);
}

void check_spelling(const Override& override, const NodePtr& value) {
    Sources sources;
    Diagnostics diagnostics;
    Override single = override;
    single.sweep.reset();
    single.value = value;
    std::string text = spell_key(single) + (value ? spell_value(*value) : "");
    auto again = parse_override(sources.add_argument(2, text), diagnostics);
    require(again.has_value(), "what is spelled can be read");
    require(again->kind == override.kind && again->key == override.key &&
                again->path == override.path && again->package == override.package &&
                again->is_group == override.is_group,
            "a spelled key reads as the same");
    require(!again->sweep && static_cast<bool>(again->value) == static_cast<bool>(value),
            "one value stays one value");
    require(!value || same(*value, *again->value), "a spelled value reads as the same");
}

void check_jobs(const Override& override, Sources& sources) {
    SweepRequest request;
    request.multirun = true;
    request.most_jobs = 50;
    request.overrides = {override};
    Diagnostics diagnostics;
    std::vector<SweepJob> jobs = expand_jobs(request, diagnostics);
    require(jobs.empty() != diagnostics.ok(), "jobs exactly without mistakes");
    require(jobs.size() <= request.most_jobs, "the limit of jobs holds");
    for (const SweepJob& job : jobs)
        for (const Override& part : job.overrides)
            require(!part.swept(), "a job holds no sweep");
    render(diagnostics, sources, RenderOptions{});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Sources sources;
    Diagnostics diagnostics;
    const Source& source =
        sources.add_argument(1, std::string(reinterpret_cast<const char*>(data), size));
    std::optional<Override> override = parse_override(source, diagnostics);
    require(override ? diagnostics.empty() : diagnostics.errors() == 1,
            "refused exactly with one reason");
    for (const Diagnostic& diagnostic : diagnostics.all())
        require(source.holds(diagnostic.where.begin) && source.holds(diagnostic.where.end),
                "a mistake lies inside the argument");
    render(diagnostics, sources, RenderOptions{});
    if (!override)
        return 0;
    if (override->value)
        check_places(*override->value, source);
    if (!override->swept()) {
        check_spelling(*override, override->value);
        return 0;
    }
    diagnostics.add(sweep_needs_multirun(*override));
    render(diagnostics, sources, RenderOptions{});
    if (override->sweep)
        for (std::size_t i = 0; i < std::min<std::size_t>(8, override->sweep->values.size()); ++i)
            check_spelling(*override, override->sweep->values[i]);
    check_jobs(*override, sources);
    return 0;
}
