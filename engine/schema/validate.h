#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/schema/schema.h"
#include "engine/schema/values.h"

#include <cstddef>
#include <string>
#include <vector>

namespace stillroom {

/// One thing that is wrong with a value: the root cause only, what follows from it is silent.
struct Mistake {
    int code = 0;
    std::string path;     ///< dotted, "target.params" or "files[2]"; empty for the whole
    std::string pointer;  ///< the same as a JSON pointer
    Span where;           ///< the key of an unknown key, the value of a wrong one, of a missing key
                          ///< the key of its map
    std::string message;
    std::string hint;
    const Node* value = nullptr;  ///< the value at fault; of a missing key its map
};

struct ValidateOptions {
    Typing typing = Typing::json;
    bool accept_missing = false;     ///< `???` fits anything
    bool accept_references = false;  ///< a text with `${` fits anything
    bool written_only = false;       ///< what `with_defaults` filled in counts as absent

    NodePtr beside;  ///< keys that count as the whole value's own where others ask for them

    std::string path;  ///< of the value in its document: put before every path of a mistake
    Span key;          ///< the key at which the whole value stands; nowhere: it is a file's root
    std::string name;  ///< of the whole value: "stage 'student' (prune.minitron)"

    std::size_t most_steps = 50'000'000;  ///< schemas applied to values
};

/// Every mistake, in the order of the document. Throws Error (exit 2) where the schema refers to
/// itself without end or asks for more steps than allowed.
STILLROOM_API std::vector<Mistake> validate(const Schema& schema,
                                            const NodePtr& value,
                                            const ValidateOptions& options = {});

/// The same question, sooner answered.
STILLROOM_API bool fits(const Schema& schema,
                        const NodePtr& value,
                        const ValidateOptions& options = {});

/// The ways in which a document is no schema of draft 2020-12, by the draft's own metaschema.
STILLROOM_API std::vector<Mistake> mistakes_as_schema(const NodePtr& document);

/// As the rest of the engine collects them.
STILLROOM_API Diagnostic diagnostic_of(const Mistake& mistake);

}  // namespace stillroom
