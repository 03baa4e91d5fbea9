# SPDX-License-Identifier: MIT
"""The networks take the documented shapes and dtypes, and read as what they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from td3_core.config import CNNConfig, ConvLayer
from td3_core.networks import CNN, Actor, Critic, evaluating, features_of, target_of

LAYERS = (ConvLayer(4, 3, stride=2, padding=1), ConvLayer(6, 3))
NORMALIZATIONS = {"batch": nn.BatchNorm2d, "layer": nn.LayerNorm, "group": nn.GroupNorm}


def cnn(**options: str | None) -> CNN:
    return CNN(CNNConfig(LAYERS, features=5, **options), (3, 9, 8))


def test_uint8_images_are_scaled_and_floating_ones_are_not() -> None:
    network = cnn()
    images = torch.randint(0, 256, (2, 3, 9, 8), dtype=torch.uint8)
    assert torch.equal(network(images), network(images.float() / 255))
    assert not torch.equal(network(images), network(images.float()))
    assert network(images).shape == (2, 5)


def test_parameters_have_readable_paths() -> None:
    assert list(cnn(normalization="batch").state_dict())[:4] == [
        "conv0.weight",
        "conv0.bias",
        "norm0.weight",
        "norm0.bias",
    ]
    assert next(iter(Critic(3, 1, (4,)).state_dict())) == "q1.0.weight"


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalisation_follows_each_convolution(name: str) -> None:
    network = cnn(normalization=name)
    kinds = [type(layer) for layer in network]
    for index, kind in enumerate(kinds):
        if kind is nn.Conv2d:
            assert kinds[index + 1] is NORMALIZATIONS[name]
    assert kinds.count(NORMALIZATIONS[name]) == len(LAYERS)
    assert network(torch.rand(2, 3, 9, 8)).shape == (2, 5)


def test_activation_is_the_configured_one() -> None:
    assert sum(isinstance(layer, nn.Tanh) for layer in cnn(activation="tanh")) == len(LAYERS) + 1


def test_actions_are_bounded_by_max_action() -> None:
    actor = Actor(3, 2, (8,), max_action=2.5)
    actions = actor(torch.randn(64, 3) * 1e4)
    assert actions.shape == (64, 2)
    assert actions.abs().max() == 2.5


def test_critics_are_two_and_independent() -> None:
    critic = Critic(3, 2, (8,))
    features, actions = torch.randn(4, 3), torch.randn(4, 2)
    q1, q2 = critic(features, actions)
    assert q1.shape == q2.shape == (4, 1)
    assert torch.equal(critic.q1(features, actions), q1)
    assert not torch.equal(q1, q2)


def test_critics_see_the_action() -> None:
    critic, features = Critic(3, 2, ()), torch.randn(4, 3)
    assert not torch.equal(critic.q1(features, torch.zeros(4, 2)), critic.q1(features, torch.ones(4, 2)))


def test_features_join_image_and_vector() -> None:
    network, image, vector = cnn(), torch.rand(2, 3, 9, 8), torch.randn(2, 7)
    joined = features_of(network, {"image": image, "vector": vector})
    assert torch.equal(joined, torch.cat([network(image), vector], dim=1))
    assert torch.equal(features_of(network, image), network(image))
    assert features_of(None, vector) is vector


def test_targets_are_copies_without_gradients() -> None:
    network = cnn(normalization="batch")
    target = target_of(network)
    assert not any(parameter.requires_grad for parameter in target.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not target.training
    for mine, other in zip(target.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine, other)
        assert mine.data_ptr() != other.data_ptr()


def test_evaluating_gives_each_module_its_mode_back() -> None:
    network = cnn(normalization="batch")
    network.norm1.eval()
    with evaluating(None), evaluating(network):
        assert not any(module.training for module in network.modules())
    assert network.training
    assert network.norm0.training
    assert not network.norm1.training
