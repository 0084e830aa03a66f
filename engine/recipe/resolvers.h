#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// What a resolver sees of the resolution that calls it.
class STILLROOM_API ResolverCall {
public:
    virtual ~ResolverCall() = default;

    virtual const std::string& name() const = 0;
    virtual const std::vector<NodePtr>& arguments() const = 0;  ///< resolved
    virtual std::string_view raw() const = 0;                   ///< all after the ':', as written
    virtual Span where() const = 0;                             ///< the whole `${...}`
    virtual std::string key() const = 0;  ///< dotted path of the value that holds the call

    enum class Found : std::uint8_t { yes, absent, missing, broken };
    struct Selection {
        Found found = Found::absent;  ///< missing: `???`; broken: a mistake, reported already
        NodePtr value;                ///< resolved; of `yes` alone
    };

    /// The value at "a.b[0]", or at ".x", relative to the value that holds the call.
    virtual Selection select(std::string_view path) = 0;

    /// The value of a text with `${...}` in it, which stands at `offset` of `raw`. Null if it has
    /// none, which is reported already.
    virtual NodePtr evaluate(std::string_view text, std::size_t offset) = 0;

    /// The value of a variable, whether it may be read or not.
    virtual std::optional<std::string> environment(const std::string& name) const = 0;
    virtual bool may_read(const std::string& name) const = 0;  ///< on the allow-list
    virtual bool is_remote() const = 0;  ///< the call stands in the text of a remote recipe

    /// Reports at the call, or at a part of `raw`. The reference stays valid until the next report.
    virtual Diagnostic& fail(int code, std::string message) = 0;
    virtual Diagnostic& fail_at(std::size_t begin,
                                std::size_t end,
                                int code,
                                std::string message) = 0;
    virtual void warn(int code, std::string message) = 0;
};

/// Null after a failure.
using Resolver = std::function<NodePtr(ResolverCall& call)>;
using ResolverTable = std::map<std::string, Resolver, std::less<>>;

/// oc.env env oc.select oc.decode oc.dict.keys oc.dict.values oc.create oc.deprecated calc secret.
STILLROOM_API const ResolverTable& standard_resolvers();

/// True for HOME USER TMPDIR HOSTNAME SLURM_JOB_ID STILLROOM_* and for the names given (a trailing
/// '*' stands for any end), but never for one with TOKEN, SECRET, KEY or PASSWORD in it.
STILLROOM_API bool may_read_variable(std::string_view name,
                                     const std::vector<std::string>& allowed);

/// True for a name with TOKEN, SECRET, KEY or PASSWORD in it.
STILLROOM_API bool names_secret(std::string_view variable);

/// A scalar inside a text: null, true, 6000000000 (RFC 8785), text as it is. A map or list as JSON.
STILLROOM_API std::string json_spelling(const Node& value);

}  // namespace stillroom
