#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/check.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom {

struct Output {
    std::string name;
    std::string type;
    Feed feed;  ///< the stage that really makes it: of a sub-recipe an inner one
};

/// What a name of a recipe stands for: a stage's outputs, a sub-recipe's, or the one thing that is
/// an input.
struct Offer {
    Span where;
    std::vector<Output> outputs;
    std::vector<std::pair<std::string, std::string>>
        absent;  ///< outputs that need a setting: name, setting
    bool is_input = false;
    bool broken = false;    ///< its own mistake is reported: what names it stays silent
    bool left_out = false;  ///< `when: false`
};
using Offers = std::map<std::string, Offer, std::less<>>;

/// What wants an artifact, for choice and messages.
struct Want {
    std::string stage;  ///< "student"; empty for the recipe's `outputs`
    std::string port;
    std::string type;                  ///< empty: any
    std::vector<std::string> accepts;  ///< other types that will do
    Span declared;                     ///< of the port's own name in the recipe
};

/// True for `hf:ORG/NAME`, `file:PATH` and paths with a '/': no stage, but something outside.
bool is_outside(std::string_view text);

/// "s3" of "s3://bucket/model"; empty for a path.
std::string_view scheme_of(std::string_view text);

/// "a checkpoint", "an adapter", "scores".
std::string one_of_type(std::string_view type);

/// The stage that a reference names: "student" of "student.report". Empty if the text is no
/// reference.
std::string_view named_stage(std::string_view text);

/// The feed that the text names. Nothing, with a mistake unless the cause is reported already,
/// where there is none.
std::optional<Feed> link(const Node& reference,
                         const Want& want,
                         const Offers& offers,
                         Diagnostics& diagnostics);

}  // namespace stillroom
