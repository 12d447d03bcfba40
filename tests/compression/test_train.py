"""Training: it learns, it repeats itself exactly, it leaves pruned weights at zero."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from compression.distillation import Teacher
from compression.prune import magnitude_masks
from compression.train import Augmentation, Epoch, LabelledImages, Schedule, _augment, count_correct, train


def bright_halves(count: int, seed: int = 5) -> LabelledImages:
    """Images 1x6x6 whose class says which half (top or bottom) is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    pixels = torch.randint(0, 100, (count, 1, 6, 6), generator=generator)
    for half in (0, 1):
        pixels[labels == half, :, 3 * half : 3 * half + 3] += 120
    return LabelledImages(pixels.to(torch.uint8), labels)


def classifier(seed: int = 2) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))


SCHEDULE = Schedule(epochs=3, learning_rate=1e-4, batch=16)


def test_training_learns_and_reports_each_epoch() -> None:
    model, images, epochs = classifier(), bright_halves(200), list[Epoch]()
    train(model, images, SCHEDULE, report=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].loss < epochs[0].loss
    assert count_correct(model, bright_halves(100, seed=6)) >= 95


def test_training_twice_gives_the_same_weights() -> None:
    models = [classifier(), classifier()]
    for model in models:
        train(model, bright_halves(50), Schedule(2, 1e-4, batch=16, augmentation=Augmentation(1, True)))
    first, second = (list(model.parameters()) for model in models)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_shorter_epoch_takes_so_many_images_and_others_each_time() -> None:
    images, seen = bright_halves(60), list[torch.Tensor]()
    images.pixels[:, 0, 0, 0] = torch.arange(60, dtype=torch.uint8)  # a number that tells the image
    model = classifier()
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 0, 0, 0].int()))
    train(model, images, Schedule(2, 1e-4, batch=8, epoch_images=20))
    numbers = torch.cat(seen).tolist()
    assert [len(each) for each in seen] == [8, 8, 4] * 2
    assert len(set(numbers[:20])) == 20 and set(numbers[:20]) != set(numbers[20:])


def test_bfloat16_and_smoothing_train_as_well_and_leave_float32_weights_in_the_usual_order() -> None:
    model = classifier()
    train(model, bright_halves(200), Schedule(3, 1e-4, batch=16, smoothing=0.1, precision="bfloat16"))
    assert count_correct(model, bright_halves(100, seed=6)) >= 95
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32 and parameter.is_contiguous()


@pytest.mark.parametrize("augmented", [False, True])
def test_distillation_follows_the_teacher_and_not_the_labels(augmented: bool) -> None:
    images, teacher = bright_halves(200), classifier()
    train(teacher, images, SCHEDULE)
    before = [parameter.clone() for parameter in teacher.parameters()]
    swapped = LabelledImages(images.pixels, 1 - images.labels)
    student = classifier(seed=4)
    train(student, swapped, replace(SCHEDULE, distillation=1.0), teacher=Teacher(teacher, images.pixels, augmented))
    assert count_correct(student, bright_halves(100, seed=6)) >= 95
    assert all(torch.equal(old, new) for old, new in zip(before, teacher.parameters(), strict=True))


def test_a_teacher_looks_once_at_each_image_that_always_looks_the_same() -> None:
    images, model = bright_halves(70), classifier()
    looks = []
    model.register_forward_hook(lambda _, inputs, __: looks.append(len(inputs[0])))
    numbers = torch.tensor([60, 3, 3])
    pixels = images.pixels[numbers].float()
    fixed, augmented = (Teacher(model, images.pixels, each) for each in (False, True))
    assert torch.allclose(fixed.scores(pixels, numbers), augmented.scores(pixels, numbers), atol=1e-4)
    assert sum(looks) == 70 + 3
    fixed.scores(pixels, numbers)
    assert sum(looks) == 70 + 3


def test_pruned_weights_stay_zero_and_the_others_move() -> None:
    model = classifier()
    masks = magnitude_masks(model, {"0": 0.5, "3": 0.25})
    before = model[3].weight.detach().clone()
    train(model, bright_halves(50), SCHEDULE, masks)
    assert not model[3].weight[~masks["3"]].any() and not model[0].weight[~masks["0"]].any()
    assert (model[3].weight != before)[masks["3"]].any()


def test_the_rate_rises_then_falls_to_nothing() -> None:
    schedule = Schedule(epochs=1, learning_rate=0.8, warm_up=0.25)
    assert [round(schedule.rate(share), 9) for share in (0.0, 0.125, 0.25, 0.625, 1.0)] == [0.0, 0.4, 0.8, 0.4, 0.0]


def test_count_correct_does_not_depend_on_the_batch() -> None:
    model, images = classifier(), bright_halves(37)
    assert len({count_correct(model, images, batch) for batch in (1, 5, 37, 500)}) == 1


def test_augmentation_shifts_and_mirrors_whole_images() -> None:
    image = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 1, 5, 5)
    generator = torch.Generator().manual_seed(1)
    results = _augment(image.repeat(200, 2, 1, 1), Augmentation(shift=1, flip=True), generator)
    expected = set()
    for variant in (image, image.flip(3)):
        padded = nn.functional.pad(variant, (1, 1, 1, 1))
        expected |= {tuple(padded[0, 0, r : r + 5, c : c + 5].flatten().tolist()) for r in range(3) for c in range(3)}
    assert {tuple(result[0].flatten().tolist()) for result in results} == expected
    assert torch.equal(results[:, 0], results[:, 1]), "all channels of an image move together"
