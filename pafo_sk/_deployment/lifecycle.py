"""What a fitted estimator does after `fit`: it is saved, loaded, and warmed up."""

from __future__ import annotations

from typing import Any, Self

from sklearn.utils.validation import check_is_fitted


class Lifecycle:
    """Methods of a fitted estimator in production; each is written in a file of its own."""

    def save(self, path: Any) -> None:
        """Write the fitted model to one file in which nothing is executed on load.

        A safetensors file with JSON in its metadata. It holds the weights, the sums of every
        user's history with the user's identifier, support rates, reports, parameters and the
        versions of the packages, and no texts. The encoder is named, not held; of a folder the
        last part of its name is kept. What belongs to a machine (``cache``, ``fit_cache``,
        ``device``) is left out.

        The file replaces the one that was there at the end, so that a full disk costs nothing.

        Parameters
        ----------
        path : str or path
            Such as "reward.pafo".

        Raises
        ------
        TypeError
            If the model has head or student classes of its own, or labels that are neither
            strings, numbers nor tuples of them.
        OSError
            If the file cannot be written; a file that was there is as before.

        See Also
        --------
        load : reads the file.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "reward.pafo")
        ...     loaded = PafoRewardEstimator.load(Path(folder) / "reward.pafo")
        >>> bool((loaded.predict(data.X) == model.predict(data.X)).all())
        True
        """
        from pafo_sk._deployment.file_format import write_model

        check_is_fitted(self)
        write_model(self, path)

    @classmethod
    def load(cls, path: Any, *, encoder: Any = None) -> Self:
        """Read a fitted model that `save` has written.

        Parameters
        ----------
        path : str or path
        encoder : str, path, object with ``encode``, or None, default=None
            The encoder of `fit`. None: the one that the file names, if that is the name of a model
            on the hub. A model that was fitted with a folder or an object needs it here, or later
            by ``set_params(encoder=...)``, because a file must not choose what is loaded from a
            folder. Another encoder than that of `fit` is refused when it is first used.

        Returns
        -------
        PafoRewardEstimator
            It predicts what the saved model predicted, bit by bit.

        Raises
        ------
        ValueError
            If the file is damaged, cut short, from another program or from a newer version, or
            if sizes in it do not fit one another.
        OSError
            If the file cannot be read.

        See Also
        --------
        save : writes the file, and has an example.
        """
        from pafo_sk._deployment.file_format import read_model

        loaded: Self = read_model(cls, path, encoder)
        return loaded
