#pragma once

#include "engine/recipe/resolve.h"

namespace stillroom::test {

/// The resolvers of the case files beside the standard ones: f gives its only argument, else the
/// list of them; g adds; mk gives {k: 1}.
const ResolverTable& case_resolvers();

/// E1 is 10, E0 is empty; every name is allowed.
ResolveOptions case_options();

}  // namespace stillroom::test
