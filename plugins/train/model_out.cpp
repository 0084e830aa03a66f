#include "plugins/train/model_out.h"

#include "engine/base/durable.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/train/state_tensors.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/small_files.h"
#include "plugins/lm/weights/tensor_writer.h"
#include "plugins/lm/weights/weight_table.h"

#include <algorithm>

namespace stillroom::train {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;  // numbers that are converted at a time

/// A tensor in another type, a piece at a time.
lm::NewTensor in_type(const lm::FolderTensor& from, std::string name, lm::Dtype type) {
    lm::NewTensor out;
    out.info.name = std::move(name);
    out.info.dtype = type;
    out.info.shape = from.info->shape;
    out.make = [from, type](const lm::WriteBytes& write) {
        auto count = static_cast<std::size_t>(lm::elements(from.info->shape));
        std::size_t from_size = from.bytes().size() / count;
        std::vector<std::byte> piece;
        for (std::size_t begin = 0; begin < count; begin += kPiece) {
            std::size_t numbers = std::min(kPiece, count - begin);
            piece.resize(numbers * static_cast<std::size_t>(lm::bits_of(type) / 8));
            lm::convert(from.info->dtype,
                        from.bytes().subspan(begin * from_size, numbers * from_size),
                        type,
                        piece);
            write(piece);
        }
        from.forget();
    };
    return out;
}

void write_small(RunContext& context, const fs::path& student, const fs::path& folder) {
    lm::ConfigFile config = lm::ConfigFile::read(student / "config.json");
    config.drop_hooks();
    write_record_file(folder / "config.json", config.text());
    lm::CopiedFiles copied = lm::copy_small_files(student, lm::kept_small_files(student), folder);
    for (const std::string& hook : copied.hooks)
        context.log(LogLevel::warning, hook + " names code to be run and was left out");
}

}  // namespace

void write_trained(RunContext& context,
                   const fs::path& student,
                   const fs::path& state,
                   const fs::path& folder) {
    lm::TensorFolder before = lm::TensorFolder::open(student);
    lm::StateTensors after = lm::StateTensors::open(state);
    lm::ModelConfig config = lm::ConfigFile::read(student / "config.json").model();
    std::vector<lm::NewTensor> tensors;
    for (const lm::Weight& weight : lm::weight_table(config)) {
        std::optional<lm::FolderTensor> master = after.find(weight.name + ".master");
        std::optional<lm::FolderTensor> old = before.find(weight.name);
        lm::FolderTensor found = master ? *master : after.model().at(weight.name);
        tensors.push_back(in_type(found, weight.name, old ? old->info->dtype : found.info->dtype));
    }
    lm::save_model(context, folder, tensors, lm::SaveOptions());
    write_small(context, student, folder);
}

void write_unchanged(RunContext& context, const fs::path& student, const fs::path& folder) {
    lm::TensorFolder before = lm::TensorFolder::open(student);
    if (before.is_multimodal()) {
        std::vector<lm::NewTensor> tensors;  // without the other towers
        for (const lm::FolderTensor& tensor : before.tensors())
            tensors.push_back(lm::unchanged(tensor));
        lm::save_model(context, folder, tensors, lm::SaveOptions());
    } else {
        lm::copy_model(before, context, folder, lm::SaveOptions());
    }
    write_small(context, student, folder);
}

}  // namespace stillroom::train
