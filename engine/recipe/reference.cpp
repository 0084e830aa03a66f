// References that can be followed without resolving anything: for overrides and merging.
#include "engine/document/node.h"
#include "engine/recipe/interpolation.h"
#include "engine/recipe/resolve.h"

namespace stillroom {
namespace {

constexpr int kMostHops = 1'000;

}  // namespace

NodePtr look_up(const NodePtr& root, const std::vector<std::string>& path) {
    NodePtr here = root;
    for (const std::string& key : path) {
        here = child_of(*here, key);
        if (!here)
            return nullptr;
    }
    return here;
}

std::optional<std::vector<std::string>> reference_target(const Node& value,
                                                         const std::vector<std::string>& at) {
    if (value.kind != Kind::string || !may_interpolate(value.text))
        return std::nullopt;
    ParsedText text = parse_text(value.text);
    const Interpolation* whole = text.mistake ? nullptr : text.whole();
    if (!whole || whole->is_call)
        return std::nullopt;
    auto dots = static_cast<std::size_t>(whole->dots);
    if (dots > at.size())
        return std::nullopt;
    std::vector<std::string> out;
    if (dots > 0)
        out.assign(at.begin(), at.end() - static_cast<std::ptrdiff_t>(dots));
    for (const PathStep& step : whole->path) {
        if (step.nested)
            return std::nullopt;
        out.push_back(step.key);
    }
    return out;
}

std::optional<std::vector<std::string>> follow_path(const NodePtr& root,
                                                    const std::vector<std::string>& path) {
    std::vector<std::string> rest(path.rbegin(), path.rend());  // the next key is the last
    std::vector<std::string> done;
    NodePtr here = root;
    int hops = 0;
    while (!rest.empty()) {
        if (here && here->kind == Kind::string && may_interpolate(here->text)) {
            auto target = reference_target(*here, done);
            if (!target || ++hops > kMostHops)
                return std::nullopt;
            rest.insert(rest.end(), target->rbegin(), target->rend());
            done.clear();
            here = root;
            continue;
        }
        done.push_back(std::move(rest.back()));
        rest.pop_back();
        here = here ? child_of(*here, done.back()) : nullptr;
    }
    return done;
}

NodePtr dereference(const NodePtr& root, const NodePtr& value, const std::vector<std::string>& at) {
    NodePtr here = value;
    std::vector<std::string> path = at;
    for (int hops = 0; here && hops < kMostHops; ++hops) {
        if (here->kind != Kind::string || !may_interpolate(here->text))
            return here;
        auto target = reference_target(*here, path);
        if (!target)
            return nullptr;
        auto real = follow_path(root, *target);
        if (!real)
            return nullptr;
        here = look_up(root, *real);
        path = std::move(*real);
    }
    return nullptr;
}

}  // namespace stillroom
