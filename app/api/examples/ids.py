"""Names that several examples share, so that they tell one story."""

TUNER_ID = "019ab1c2-3d4e-7f50-8a61-b2c3d4e5f607"
TRIAL_ID = "019ab1c2-4a10-7b21-9c32-d4e5f6071829"
RUN_ID = "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5"
BEFORE, AFTER = "2026-11-23T20:21:07.123456Z", "2026-11-23T20:24:42.654321Z"
