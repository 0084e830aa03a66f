#include "plugins/lm/parallel/mesh.h"

namespace stillroom::lm {

Mesh Mesh::over(const Comm& world, const Layout& layout) {
    Mesh mesh;
    mesh.layout = layout;
    mesh.place = layout.place(world.rank());
    mesh.world = world;
    mesh.tensor = world.group(layout.tensor_ranks(world.rank()), "tensor");
    mesh.data = world.group(layout.data_ranks(world.rank()), "data");
    std::vector<int> stages = layout.pipeline_ranks(world.rank());
    mesh.pipeline = world.group(stages, "pipeline");
    mesh.aside = world.group(stages, "aside");
    if (stages.size() > 1 && (mesh.is_first() || mesh.is_last()))
        mesh.ends = world.group({stages.front(), stages.back()}, "ends");
    return mesh;
}

}  // namespace stillroom::lm
