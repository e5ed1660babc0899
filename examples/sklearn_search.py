"""A search over a scikit-learn pipeline: `python examples/sklearn_search.py [URL]`, of a service that runs."""

import sys

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tunetrack_client import Client, choice, float_range
from tunetrack_client.sklearn import TunetrackSearchCV

digits, labels = load_digits(return_X_y=True)
train, test, train_labels, test_labels = train_test_split(digits, labels, test_size=0.5, random_state=0)
search = TunetrackSearchCV(
    make_pipeline(StandardScaler(), SVC()),
    {
        "svc__C": float_range(1e-2, 1e3, log=True),
        "svc__gamma": float_range(1e-5, 1e-1, log=True),
        "svc__kernel": choice("rbf", "poly"),
    },
    client=Client(sys.argv[1] if len(sys.argv) > 1 else None),
    n_iter=8,
    cv=3,
    seed=0,
)
search.fit(train, train_labels)
print(f"best of {len(search.cv_results_['params'])}: {search.best_params_}")
print(f"accuracy {search.best_score_:.3f} in cross-validation, {search.score(test, test_labels):.3f} on the test data")
