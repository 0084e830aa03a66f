#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <functional>
#include <memory>
#include <string>

namespace stillroom {

struct SubSchema;
class CompiledSchema;

/// The document that lies at a URI (without a fragment), or null. `$ref` to other documents and
/// `$schema` go through it.
using SchemaResolver = std::function<NodePtr(const std::string& uri)>;

/// A compiled JSON Schema, draft 2020-12: all vocabularies; `format` and `content*` are
/// annotations, but for our own formats count, bytes and duration, which say how a number may be
/// spelled. Immutable; cheap to copy.
class STILLROOM_API Schema {
public:
    Schema() = default;
    explicit Schema(std::shared_ptr<const CompiledSchema> compiled);

    explicit operator bool() const { return compiled_ != nullptr; }
    const SubSchema& root() const;
    const NodePtr& document() const;  ///< as it was written

private:
    std::shared_ptr<const CompiledSchema> compiled_;
};

/// Compiles a document whose URI is `uri` (it may be empty). A reference that leads nowhere, a
/// pattern that is none, a keyword with a value it cannot have, a dialect we do not know are
/// mistakes in `diagnostics`, and then the result is empty. Whether the document is a schema in
/// every respect is said by validating it against its metaschema.
STILLROOM_API Schema compile(const NodePtr& document,
                             const std::string& uri,
                             const SchemaResolver& resolver,
                             Diagnostics& diagnostics);

}  // namespace stillroom
