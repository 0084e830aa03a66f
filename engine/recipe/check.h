#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/compose.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stillroom {

struct StageType;

/// What a port takes its artifact from: an output of another stage, by the stage's full name.
struct Feed {
    std::string stage;   ///< "teacher", "first/student", "healed.teacher~load"
    std::string output;  ///< "model"
    Span where;          ///< the reference as written
};

struct Input {
    std::string port;
    std::string type;         ///< the port's type
    std::vector<Feed> feeds;  ///< one; of a list port any number
};

/// A stage of a checked recipe: every setting is there, of its right kind.
struct CheckedStage {
    std::string name;  ///< "student"; inside a sub-recipe "first/student"
    std::string use;   ///< "prune.minitron"
    const StageType* type = nullptr;
    std::vector<Input> inputs;
    NodePtr settings;  ///< resolved, typed, defaults filled in; neither ports nor engine keys
    NodePtr engine;    ///< ranks, device, retry, env, cache, after: filled in
    std::vector<std::string> after;
    bool inserted = false;  ///< a loader or an x-fill stage: nobody wrote it
    Span where;             ///< its name in the recipe
};

/// A recipe without mistakes. Stages in the order they were written, inserted ones before the stage
/// that needs them.
struct Checked {
    std::string recipe;  ///< its name
    NodePtr root;        ///< resolved, with the defaults of the schemas
    std::vector<CheckedStage> stages;
    std::map<std::string, Feed> outputs;
};

struct CheckOptions {
    Request request;  ///< how sub-recipes are found
    std::function<std::optional<std::string>(const std::string&)> environment;
    std::vector<std::string> allowed_environment;
};

/// Every mistake is in the diagnostics; the result counts only where there is none.
STILLROOM_API Checked check(Sources& sources,
                            const Recipe& recipe,
                            const Catalog& catalog,
                            const CheckOptions& options,
                            Diagnostics& diagnostics);

}  // namespace stillroom
