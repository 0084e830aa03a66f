"""The peer of `compose`: the smallest program that composes a recipe by hydra-core.

    hydra_peer.py FOLDER --cfg job --resolve     composes FOLDER/recipe.yaml
"""

import sys

import hydra

folder = sys.argv.pop(1)


@hydra.main(version_base=None, config_path=folder, config_name="recipe")
def main(config):
    pass


main()
