"""Runs brought in from elsewhere: from files of our own export, from MLflow. A client of a running service.

    own_files, mlflow_file, mlflow_server    where runs come from: each tells steps; mlflow_runs, of both the same
    steps                                    what is to be done: start a run, log epochs, end it; or what cannot be done
    transfer                                 does the steps over HTTP, and counts
    command                                  picks the source, shows how far it is, says what came of it

Every step is safe to repeat, so an import that was cut off is simply run again.
"""
