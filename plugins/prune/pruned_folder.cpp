#include "plugins/prune/pruned_folder.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/small_files.h"
#include "plugins/lm/weights/strict_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <numeric>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

std::string config_of(const fs::path& source, const Pruned& pruned) {
    lm::ConfigFile config = lm::ConfigFile::read(source / "config.json");
    config.drop_hooks();
    std::vector<std::int64_t> layers;
    for (const lm::LayerCut& layer : pruned.cut.layers)
        layers.push_back(layer.layer);
    config.express(pruned.after, layers);
    return config.text();
}

void put(JsonWriter& out, std::string_view key, const lm::Keep& keep, std::int64_t size) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(keep ? 0 : size));
    std::iota(all.begin(), all.end(), 0);
    out.key(key), out.begin_array();
    for (std::int64_t index : keep ? *keep : all)
        out.integer(index);
    out.end_array();
}

[[noreturn]] void differs(const fs::path& folder, std::string_view tensor, std::string_view how) {
    throw Error({},
                fmt::format("{} was written and does not read back: {} {}",
                            folder.string(),
                            lm::shown(tensor),
                            how))
        .hint("nothing was kept; is the disk, or the memory, sound?")
        .exit_code(kExitIntegrity);
}

/// Compares pieces as they come with what lies in the file, and holds no more than one.
void compare(const lm::NewTensor& wanted, const lm::FolderTensor& found, const fs::path& folder) {
    constexpr std::size_t kPiece = std::size_t{1} << 22;
    const std::span<const std::byte> bytes = found.bytes();
    std::size_t at = 0;
    auto piece = [&](std::span<const std::byte> part) {
        if (at + part.size() > bytes.size() ||
            std::memcmp(bytes.data() + at, part.data(), part.size()) != 0)
            differs(folder, wanted.info.name, "differs from its source");
        found.file->file().forget(found.info->offset + at, part.size());
        at += part.size();
    };
    if (wanted.make) {
        wanted.make(piece);
    } else {
        const std::span<const std::byte> from = wanted.from.bytes();
        while (at < from.size()) {
            const std::size_t begin = at;
            piece(from.subspan(begin, std::min(kPiece, from.size() - begin)));
            wanted.from.file->file().forget(wanted.from.info->offset + begin, at - begin);
        }
        wanted.from.forget();
    }
    if (at != bytes.size())
        differs(folder, wanted.info.name, "is longer than what was written");
    found.file->check();
    found.forget();
}

}  // namespace

std::string index_map_json(const Pruned& pruned) {
    const Shape shape = shape_of(pruned.before);
    JsonWriter out;
    out.begin_object();
    put(out, "hidden", pruned.cut.hidden, shape.hidden);
    out.key("layers"), out.begin_array();
    for (const lm::LayerCut& layer : pruned.cut.layers)
        out.integer(layer.layer);
    out.end_array();
    for (std::size_t i = 0; i < pruned.cut.layers.size(); ++i) {
        const lm::LayerCut& layer = pruned.cut.layers[i];
        put(out, fmt::format("layers.{}.ffn", i), layer.ffn, shape.ffn);
        put(out, fmt::format("layers.{}.heads", i), layer.heads, shape.heads);
        put(out, fmt::format("layers.{}.kv_heads", i), layer.kv_heads, shape.kv_heads);
    }
    out.end_object();
    return out.take();
}

void write_pruned(RunContext& context,
                  const fs::path& source,
                  const fs::path& folder,
                  const Pruned& pruned,
                  const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    const std::string config = config_of(source, pruned);  // refuses before a weight is written
    lm::TensorFolder files = lm::TensorFolder::open(source);
    lm::SaveOptions options;
    options.progress = progress;
    lm::save_model(
        context, folder, cut_tensors(files, pruned.before, pruned.cut, pruned.changes), options);
    write_record_file(folder / "config.json", config);
    write_record_file(folder / "index_map.json", index_map_json(pruned) + "\n");
    const lm::CopiedFiles copied =
        lm::copy_small_files(source, lm::kept_small_files(source), folder);
    for (const std::string& hook : copied.hooks)
        context.log(LogLevel::warning, hook + " names code to be run and was left out");
}

void check_written(const fs::path& source,
                   const fs::path& folder,
                   const Pruned& pruned,
                   int threads) {
    lm::TensorFolder files = lm::TensorFolder::open(source);
    lm::TensorFolder written = lm::TensorFolder::open(folder);
    lm::ModelConfig config = lm::ConfigFile::read(folder / "config.json").model();
    lm::strict_check(config, lm::weight_table(config), written);
    const std::vector<lm::NewTensor> all =
        cut_tensors(files, pruned.before, pruned.cut, pruned.changes);
    std::atomic<std::size_t> next = 0;
    auto work = [&] {
        for (std::size_t i = next++; i < all.size(); i = next++) {
            const lm::NewTensor& wanted = all[i];
            lm::FolderTensor found = written.at(wanted.info.name);
            if (found.info->shape != wanted.info.shape || found.info->dtype != wanted.info.dtype)
                differs(folder, wanted.info.name, "has another shape or type");
            compare(wanted, found, folder);
        }
    };
    std::vector<std::future<void>> others;
    for (int thread = 1; thread < threads; ++thread)
        others.push_back(std::async(std::launch::async, work));
    work();
    for (std::future<void>& other : others)
        other.get();
}

}  // namespace stillroom::prune
