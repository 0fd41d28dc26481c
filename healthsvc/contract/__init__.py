"""家庭医生签约 The family-doctor contract: one in force for a person, what it promises, and what has been delivered."""
