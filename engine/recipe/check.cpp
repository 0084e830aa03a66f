// A composed recipe becomes stages that can run, and every mistake on the way is found.
//
// One recipe is one scope: its stages are split into engine keys, ports and settings, filled with
// the defaults of their schemas, resolved, held to the schemas, and linked by name. A stage that
// uses another recipe opens a scope of its own, whose params are the stage's settings and whose
// inputs are its ports. Stages are visited so that what a reference names has been visited before
// it; a mistake in one stage keeps what depends on it silent.

#include "engine/recipe/check.h"

#include "engine/recipe/checker.h"
#include "engine/recipe/frame.h"
#include "engine/recipe/unused.h"

#include <set>
#include <tuple>

namespace stillroom {
namespace {

/// A recipe used by several stages has its mistakes once.
void add_once(const Diagnostics& found, Diagnostics& diagnostics) {
    std::set<std::tuple<int, Span, std::string>> seen;
    for (const Diagnostic& diagnostic : found.all())
        if (seen.emplace(diagnostic.code, diagnostic.where, diagnostic.message).second)
            diagnostics.add(diagnostic);
}

}  // namespace

Checked check(Sources& sources,
              const Recipe& recipe,
              const Catalog& catalog,
              const CheckOptions& options,
              Diagnostics& diagnostics) {
    Diagnostics found;
    if (recipe.launch)
        check_launch(recipe.launch, sources, found);
    ScopeResult result = Checker(sources, catalog, options, found).check_recipe(recipe);
    add_once(found, diagnostics);
    if (diagnostics.ok())
        warn_of_unused(recipe, diagnostics);  // a misspelt reference would be told twice
    Checked checked;
    NodePtr name = result.root->get("recipe");
    checked.recipe = name && name->is_scalar() ? name->text : recipe.file.stem().string();
    checked.root = result.root;
    checked.stages = std::move(result.stages);
    for (const Output& output : result.outputs)
        checked.outputs.emplace(output.name, output.feed);
    return checked;
}

}  // namespace stillroom
