#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/interpolation.h"
#include "engine/recipe/resolve.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace stillroom {

/// One resolution of a tree. A value is worked out when first asked for and kept; the places of the
/// tree are slots, because one node may stand at several and relative references differ there.
///
/// Chains of references are followed in a loop, all else by recursion of bounded depth. A path that
/// goes through a reference follows it without resolving what it names, so that a map may refer
/// into itself by another name.
class Resolution {
public:
    Resolution(const NodePtr& root, const ResolveOptions& options, Diagnostics& diagnostics);

    NodePtr run();
    NodePtr run_at(const std::vector<std::string>& path);

private:
    static constexpr int kMostDepth = 400;

    enum class State : std::uint8_t { fresh, working, done, failed };

    struct Slot {
        NodePtr node;  ///< as written
        Slot* parent = nullptr;
        std::size_t index = 0;  ///< in the parent
        State state = State::fresh;
        bool locating = false;   ///< its reference is being followed just now
        Slot* target = nullptr;  ///< what its reference names, once known
        NodePtr result;
        std::unique_ptr<ParsedText> parsed;
        std::vector<std::unique_ptr<Slot>> children;
        std::unique_ptr<Slot> beyond;  ///< over the result of a call, for paths that go on
    };

    enum class Found : std::uint8_t { yes, absent, no_container, missing, above, broken };
    struct Location {
        Found found = Found::broken;
        Slot* slot = nullptr;  ///< the value, or where the path ends
        std::size_t step = 0;  ///< the key that is not there
    };

    struct Joined {
        std::string text;
        bool secret = false;
        Place begins;
    };

    class Call;

    // Values. Null: a mistake, reported already.
    NodePtr resolve(Slot& slot);
    NodePtr resolve_collection(Slot& slot);
    NodePtr resolve_scalar(Slot& first);
    NodePtr evaluate(Slot& holder, const Interpolation& interpolation);
    NodePtr call(Slot& holder, const Interpolation& interpolation);
    NodePtr argument(Slot& holder, const ArgumentValue& value, const Interpolation& call);
    std::optional<Joined> join(Slot& holder, const std::vector<TextPiece>& pieces);
    NodePtr joined_node(Slot& slot, Joined joined);
    NodePtr as_result(Slot& slot, const NodePtr& value);
    bool charge(Slot& holder, const Node& copied, Span where);

    // Places.
    Location locate(Slot& from, const std::vector<std::string>& keys);
    Location reference(Slot& holder,
                       const Interpolation& reference,
                       std::vector<std::string>& keys);
    bool path_keys(Slot& holder, const Interpolation& reference, std::vector<std::string>& keys);
    Slot* container(Slot& slot);
    Slot* child(Slot& slot, const std::string& key);
    Slot& child_at(Slot& slot, std::size_t index);
    const ParsedText& parsed(Slot& slot);
    std::vector<std::string> path_of(const Slot& slot) const;
    std::string name_of(const Slot& slot) const;

    // Mistakes.
    NodePtr fail(Slot& slot);
    Diagnostic& report(Slot& holder, Span where, int code, std::string message);
    void report_depth(Slot& slot);
    void report_cycle(Slot& slot);
    void report_reference(Slot& holder,
                          const Interpolation& reference,
                          const Location& location,
                          const std::vector<std::string>& keys);
    std::string suggestion(const Location& location, const std::vector<std::string>& keys);
    Span span_of(const Slot& holder, std::size_t begin, std::size_t end) const;

    bool interpolates(const Node& node);
    std::size_t size_of(const Node& node);

    const ResolveOptions& options_;
    const ResolverTable& resolvers_;
    Diagnostics& diagnostics_;
    Slot root_;
    std::vector<Slot*> frames_;
    int depth_ = 0;
    std::vector<NodePtr> kept_;  // results of calls: `sizes_` knows nodes by address
    std::size_t added_nodes_ = 0;
    std::size_t made_text_ = 0;
    std::unordered_map<const Node*, bool> interpolates_;
    std::unordered_map<const Node*, std::size_t> sizes_;
};

}  // namespace stillroom
