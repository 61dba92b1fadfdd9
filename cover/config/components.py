"""Objects made of options, with errors that name the option. torch and Lightning are imported where they are needed."""

import dataclasses
import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.errors import InstantiationException

from cover.config.data import DataOptions
from cover.config.schema import DecodeOptions, InferOptions, ScoringOptions, ViewOptions
from cover.curves import Calibration
from cover.decoding.decoder import Decoder
from cover.errors import UsageError
from cover.processes import available_cpus
from cover.results.reference import Reference, read_reference, shipped_reference
from cover.scores import REVISION
from cover.video import RawFormat, Segments, ViewSpec
from cover.weights import PRETRAINED_WEIGHTS, PUBLISHED, RANDOM_WEIGHTS, read_about, read_calibration, sha256_of

if TYPE_CHECKING:
    import lightning
    from lightning.pytorch.loggers import Logger

    from cover.models import COVER
    from cover.scoring.local import LocalEngine

log = logging.getLogger(__name__)

_EXTRAS = {  # what a base install lacks -> the extra that has it
    "lightning": "train",
    "torchmetrics": "train",
    "wandb": "wandb",
    "h5py": "datasets",
    "timm": "backbones",
    "python_calamine": "datasets",
    "pyarrow": "datasets",
}
_MOST_WORKERS = 8
_ONE_DEVICE = {"strategy": "auto", "devices": 1, "num_nodes": 1}


def missing_extra(error: ModuleNotFoundError, what: str) -> UsageError:
    """Say what to install for a package that is not there.

    Raises:
        ModuleNotFoundError: The same error, where it is about a package that no extra has.
    """
    package = _missing_package(error)
    if package not in _EXTRAS:
        raise error
    return UsageError(f"{what} needs {package}: pip install 'cover-vqa[{_EXTRAS[package]}]'")


def _missing_package(error: ModuleNotFoundError) -> str:
    # Errors that Lightning raises itself have no name; their text has it.
    named = (error.name or "").split(".")[0]
    return named or next((known for known in _EXTRAS if known in str(error)), "")


def instantiate(node: Mapping[str, Any], option: str, **arguments: Any) -> Any:
    """Run Hydra's ``instantiate`` on plain, resolved options.

    Args:
        node: With ``_target_``.
        option: The option that holds it, for messages.
        arguments: Further arguments of the target.

    Raises:
        UsageError: A value is not what the target takes, or the target cannot be imported.
    """
    # Hydra would look for interpolations again; in resolved text, ${ is part of somebody's file name.
    texts = {key: value for key, value in node.items() if isinstance(value, str) and not key.startswith("_")}
    others = {key: value for key, value in node.items() if key not in texts}
    try:
        factory = hydra.utils.instantiate({**others, "_partial_": True}, _convert_="all")
        return factory(**texts, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        while cause is not None and not isinstance(cause, ModuleNotFoundError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, ModuleNotFoundError):
            raise _not_importable(cause, node, option) from error
        if isinstance(cause, (ValueError, TypeError, ImportError, AttributeError)):
            raise UsageError(f"{option}: {cause}") from error
        raise
    except ModuleNotFoundError as error:
        raise _not_importable(error, node, option) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{option}: {error}") from error
    except Exception as error:
        if type(error).__name__ == "MisconfigurationException":  # Lightning's, which is not imported for its name
            raise UsageError(f"{option}: {error}") from error
        raise


def _not_importable(error: ModuleNotFoundError, node: Mapping[str, Any], option: str) -> UsageError:
    """Say why the target of a node cannot be imported: an extra, or a module that Python does not find."""
    if _missing_package(error) in _EXTRAS:
        return missing_extra(error, option)
    target = str(node.get("_target_"))
    if error.name == target:
        module, _, name = target.rpartition(".")
        return UsageError(f"{option}: the module {module} has no {name!r}")
    if error.name and not f"{target}.".startswith(f"{error.name}."):
        return UsageError(f"{option}: {target} needs the module {error.name!r}, which is not installed")
    return UsageError(f"{option}: no module named {error.name!r}; is its folder on PYTHONPATH?")


def view_spec(views: ViewOptions) -> ViewSpec:
    """Make the view spec.

    Raises:
        UsageError: A value makes no sense.
    """
    values = {name: getattr(views, name) for name in ViewOptions.model_fields if name not in ("replay", "record")}
    try:
        return ViewSpec(**values)
    except ValueError as error:
        raise UsageError(f"views: {error}") from error


def replay_folder(views: ViewOptions) -> Path | None:
    """Locate the folder of recorded samplings, where there is one.

    Raises:
        UsageError: There is no such folder.
    """
    if views.replay is not None and not views.replay.is_dir():
        raise UsageError(f"views.replay={views.replay}: no such directory")
    return views.replay


def decoder(decode: DecodeOptions, data: DataOptions, segments: Segments | None = None) -> Decoder:
    """Make the decoder of a dataset, of whose videos ``segments`` says how they are cut.

    Raises:
        UsageError: The layout of headerless files makes no sense.
    """
    # Half of the cores: the model wants the others, and decoding is seldom what one waits for.
    auto = max(1, min(_MOST_WORKERS, available_cpus() // 2))
    workers = auto if decode.workers == "auto" else decode.workers
    try:
        layout = RawFormat(**data.raw.model_dump()) if data.raw.width or data.raw.height else None
    except (TypeError, ValueError) as error:
        raise UsageError(f"data.raw: {error}") from error
    return Decoder(workers, decode.timeout, layout, data.stream, data.fps, segments)


def weights_checksums(options: ScoringOptions) -> dict[str, str] | str:
    """Identify the weights: SHA-256 of each weight file; known constants for published ones.

    A file that holds only what was trained names the checksums of what it was trained from: its own covers these.

    Raises:
        UsageError: A file cannot be read.
    """
    if options.weights == RANDOM_WEIGHTS:
        return RANDOM_WEIGHTS
    checksums = {}
    for option, published in (("weights", PUBLISHED["cover"]), ("clip_weights", PUBLISHED["clip_vit_l14"])):
        value = getattr(options, option)
        if value == PRETRAINED_WEIGHTS:
            checksums[option] = _start_checksum(options.model.net)
            continue
        try:
            checksums[option] = published.sha256 if value is None else sha256_of(value)
        except OSError as error:
            raise UsageError(f"{option}={value}: {error.strerror or error}") from error
    return checksums


def _start_checksum(net: Mapping[str, Any]) -> str:
    """Identify what training starts from: files of known checksums, a fixed seed, and networks that the user names."""
    named = [arguments.get("pretrained") for arguments in net.values() if isinstance(arguments, Mapping)]
    files = sorted({file for file in named if isinstance(file, str)})
    try:
        return " ".join([PRETRAINED_WEIGHTS, *(sha256_of(Path(file)) for file in files)])
    except OSError as error:
        raise UsageError(f"model.net: pretrained={error.filename}: {error.strerror or error}") from error


def calibration(options: ScoringOptions) -> Calibration | None:
    """Read the calibration in the weights; None where they have none."""
    return read_calibration(options.weights) if isinstance(options.weights, Path) else None


def reference(options: InferOptions, identity: Mapping[str, Any]) -> Reference | None:
    """Read the scores that scores are put among: those that the options name, else those that come with the weights.

    Raises:
        UsageError: What the options name cannot be read, or is of another model.
    """
    if options.reference is not None:
        return read_reference(options.reference, identity)
    if not isinstance(options.weights, Path):
        return None
    about = read_about(options.weights)
    same = about.get("views") == json.loads(json.dumps(identity["views"]))
    return shipped_reference(about) if same else None


def scoring_identity(options: ScoringOptions, root: Path, checksums: dict[str, str] | str) -> dict[str, Any]:
    """Collect what makes scores comparable, as plain data."""
    replay = replay_folder(options.views)
    return {
        "root": str(root.absolute()),
        "model": options.model.net,
        "weights": checksums,
        "views": dataclasses.asdict(view_spec(options.views)),
        "replayed": None if replay is None else _listing(replay),
        **reading_options(options.data),
        "precision": options.trainer["precision"],
        "revision": REVISION,
    }


def reading_options(data: DataOptions) -> dict[str, Any]:
    """Collect what the frames of a file follow from, beside the file, as plain data."""
    return {"raw": data.raw.model_dump(), "stream": data.stream, "fps": data.fps}


def build_model(options: ScoringOptions) -> "COVER":
    """Make the model with its weights.

    Raises:
        UsageError: A size is impossible; the weights are missing, damaged, or do not fit.
    """
    import torch

    from cover.models import COVER
    from cover.weights import load_weights

    try:
        if options.weights == RANDOM_WEIGHTS:
            log.warning("model=%s has random weights: its scores mean nothing", options.model.name)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                return COVER(**options.model.net)
        with torch.device("meta"):
            model = COVER(**options.model.net)
    except (TypeError, ValueError) as error:
        raise UsageError(f"model: {error}") from error
    except ModuleNotFoundError as error:
        raise missing_extra(error, "model.net") from error
    load_weights(model, None if options.weights is None else str(options.weights), options.clip_weights)
    return model


def inference_model(options: ScoringOptions) -> "COVER":
    """Make the model with its weights, to score with: what can be folded is.

    Raises:
        UsageError: As :func:`build_model`.
    """
    from cover.models import FrameBackbone

    model = build_model(options)
    for backbone in model.backbones.children():
        if isinstance(backbone, FrameBackbone):
            backbone.fold_batch_norms()
    return model


def is_local(trainer: Mapping[str, Any]) -> bool:
    """Tell whether one device scores, so that Lightning's Trainer is not needed."""
    return (
        trainer.keys() <= {"_target_", "accelerator", "precision", *_ONE_DEVICE}
        and all(str(trainer.get(name, value)) == str(value) for name, value in _ONE_DEVICE.items())
        and trainer.get("accelerator", "auto") in ("auto", "cpu", "gpu", "cuda", "mps")
        and trainer.get("precision", "32-true") in ("32-true", "16-mixed", "bf16-mixed")
    )


def local_engine(trainer: Mapping[str, Any]) -> "LocalEngine":
    """Make the engine that scores on one device.

    Raises:
        UsageError: There is no such device here.
    """
    from cover.scoring.local import LocalEngine, device_of

    return LocalEngine(device_of(trainer.get("accelerator", "auto")), trainer.get("precision", "32-true"))


def build_trainer(trainer: Mapping[str, Any], **arguments: Any) -> "lightning.Trainer":
    """Make Lightning's Trainer of the options; arguments given here yield to them.

    Raises:
        UsageError: A value is not what it takes.
    """
    quiet_lightning()
    defaults = {name: value for name, value in arguments.items() if name != "callbacks"}
    callbacks = {"callbacks": arguments["callbacks"]} if "callbacks" in arguments else {}
    return instantiate({"enable_model_summary": False, **defaults, **trainer}, "trainer", **callbacks)


def require_logger(logger: Mapping[str, Any] | None) -> None:
    """Make sure, before any work, that a logger's package is installed.

    Raises:
        UsageError: It is not.
    """
    if logger and logger["_target_"].endswith("WandbLogger") and find_spec("wandb") is None:
        raise missing_extra(ModuleNotFoundError(name="wandb"), "logger=wandb")


def build_logger(logger: Mapping[str, Any], folder: Path, **arguments: Any) -> "Logger":
    """Make one of Lightning's loggers.

    Raises:
        UsageError: A value is not what it takes, or its package is not installed.
    """
    return instantiate({**logger, "save_dir": str(folder)}, "logger", **arguments)


def quiet_lightning() -> None:
    """Leave out what Lightning says that our users cannot act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        "Couldn't infer the batch indices.*",
        ".*treespec.*",
        "Your `IterableDataset` has `__len__` defined.*",
        "Found .* module.* in eval mode.*",
        ".*sync_dist=True.*",  # our figures are global
        ".*all_gather is deprecated.*",
        "Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message=message, module="lightning")
    # A rank may have no video to validate on.
    warnings.filterwarnings("ignore", message="The ``compute`` method of metric Predictions .*", category=UserWarning)


def _listing(folder: Path) -> str:
    """Fingerprint of a folder of recorded samplings: names, sizes and times of its files."""
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.glob("*.npz"))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
