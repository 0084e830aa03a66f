#pragma once

#include "engine/plan/plan.h"
#include "engine/schema/catalog.h"
#include "tests/engine/temporary_folder.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace stillroom {

/// A recipe read from a temporary folder, with all that its plan points into.
struct Dish {
    Sources sources;
    Diagnostics diagnostics;
    std::unique_ptr<Catalog> catalog;
    Graph graph;

    const CheckedStage& stage(std::string_view name) const;
};

/// A folder with recipes and the schema of one stage type, `test.make`:
///
///     steps             an integer, 10 unless written
///     note              text without influence (x-cache: ignore)
///     token             a secret
///     file              a path that is read; `nested.files` are others
///     to                a path that is written
///     same              true: what comes out does not depend on what went in
///     from, parts       ports of type report, one and many
class Kitchen {
public:
    Kitchen();

    const TemporaryFolder& folder() const { return folder_; }
    void write_recipe(std::string_view text) { folder_.write("recipe.yaml", text); }
    void write_schema(int version);

    /// Composed and checked; a mistake fails the test.
    std::unique_ptr<Dish> prepare() const;

private:
    TemporaryFolder folder_;
};

}  // namespace stillroom
