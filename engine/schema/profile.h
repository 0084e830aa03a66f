#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <string_view>

namespace stillroom {

/// The part `$defs/NAME` of a document as a document of its own, with the same `$defs`.
NodePtr profile_part(const NodePtr& document, std::string_view name);

/// A part of a document with the document's `$defs`, so that its local references still lead
/// somewhere.
NodePtr inlined(const NodePtr& part, const NodePtr& document);

/// What the meta-schema cannot say of a stage's file: its title is its name, what it requires is
/// declared, every default fits.
void check_profile_facts(const Node& document, std::string_view name, Diagnostics& diagnostics);

}  // namespace stillroom
