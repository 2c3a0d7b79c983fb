"""What the network makes of rows: reconstructions, and a detector's codes."""

from skae._validation import check_is_fitted


class Reconstructing:
    """A method that passes rows through the network and back."""

    def reconstruct(self, X):
        """Return the reconstruction of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        rows : ndarray of X's shape
            In X's units.
        """
        check_is_fitted(self)
        return self.autoencoder_.reconstruct(self._check_X(X))


class Coding(Reconstructing):
    """Methods that pass rows through the network, the first where there are several."""

    def encode(self, X):
        """Return the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        codes : ndarray of shape (n_samples, width)
            The latent codes.
        """
        check_is_fitted(self)
        return self.autoencoder_.encode(self._check_X(X))

    def decode(self, codes):
        """Return the rows that codes stand for.

        Parameters
        ----------
        codes : array-like of shape (n_samples, width)
            Latent codes, as ``encode`` returns them.

        Returns
        -------
        rows : ndarray of shape (n_samples, *input_shape_)
            In X's units.
        """
        check_is_fitted(self)
        return self.autoencoder_.decode(self._check_codes(codes, "codes"))
