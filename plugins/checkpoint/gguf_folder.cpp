#include "plugins/checkpoint/gguf_folder.h"

#include "engine/base/durable.h"

namespace stillroom::checkpoint {

void write_gguf_folder(const lm::GgufImport& model,
                       RunContext& context,
                       const std::filesystem::path& folder,
                       const lm::SaveOptions& options,
                       BadNumbers& numbers) {
    for (const lm::GgufImport::SmallFile& file : model.files())
        write_record_file(folder / file.name, file.text);  // who publishes an output syncs it
    std::vector<lm::NewTensor> tensors;
    std::vector<std::byte> buffer;
    const auto threads = static_cast<unsigned>(context.threads());
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        auto make = [&, i](const lm::WriteBytes& write) {
            buffer.resize(model.tensors()[i].bytes);
            numbers.add(model.tensors()[i].name, model.read(i, buffer, threads));
            write(buffer);
        };
        tensors.push_back({model.tensors()[i], {}, make});
    }
    lm::save_model(context, folder, tensors, options);
}

}  // namespace stillroom::checkpoint
