#pragma once

#include "engine/schema/compiled.h"
#include "engine/schema/schema.h"

#include <map>
#include <string>
#include <unordered_map>

namespace stillroom {

/// Where a reference leads: a part of a document and the resource whose URI counts there.
struct SchemaTarget {
    NodePtr node;
    SchemaResource* resource = nullptr;
};

/// The documents of one compilation: which URI, anchor or pointer names which part. Documents are
/// loaded through the resolver when first named.
class SchemaResources {
public:
    SchemaResources(CompiledSchema& compiled,
                    const SchemaResolver& resolver,
                    Diagnostics& diagnostics)
        : compiled_(compiled),
          resolver_(resolver),
          diagnostics_(diagnostics) {}

    /// Takes in a document with all the resources and anchors inside it.
    SchemaResource* add(const NodePtr& document, const std::string& uri);

    /// The target of an absolute URI with its fragment; a null node where there is none.
    SchemaTarget find(const std::string& uri);

    /// The resource that a part with an `$id` of its own opens, or `outer`.
    SchemaResource* resource_of(const NodePtr& node, SchemaResource* outer) const;

    bool is_dynamic(const SchemaResource* resource, const std::string& anchor) const;
    /// Names of the dynamic anchors of a resource, with the parts they name.
    const std::map<std::string, NodePtr>& dynamic_anchors(const SchemaResource* resource) const;

private:
    void scan(const NodePtr& node, SchemaResource* resource, int depth);
    void scan_children(const Node& node, SchemaResource* resource, int depth);
    SchemaResource* open(const NodePtr& node, const std::string& uri, const SchemaResource* outer);
    void name(const NodePtr& anchor, const NodePtr& node, SchemaResource& resource);
    void choose_vocabularies(SchemaResource& resource, const SchemaResource* outer);
    NodePtr fetch(const std::string& uri) const;
    SchemaResource* load(const std::string& uri);
    SchemaTarget follow_pointer(SchemaResource* resource, const std::string& pointer) const;

    CompiledSchema& compiled_;
    const SchemaResolver& resolver_;
    Diagnostics& diagnostics_;
    std::unordered_map<std::string, SchemaResource*> by_uri_;
    std::unordered_map<const Node*, SchemaResource*> by_root_;
    std::unordered_map<const SchemaResource*, std::map<std::string, NodePtr>> dynamic_;
};

}  // namespace stillroom
