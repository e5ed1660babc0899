"""How good an answer the same number of trainings gives: our strategies beside two samplers of Optuna.

__main__    jobs to processes, the table
search      one search
methods     who searches
tasks ──> synthetic                        functions whose optimum is known
      └─> surrogate ─> sample ─> trainings real models, trained once at 600 points, then served by a forest
                 └───> epochs              the same, epoch by epoch
problem     regret, and its unit
"""
